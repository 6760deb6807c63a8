"""What happens on the way to the cloud and back."""

import aiohttp
import pytest
from aiohttp.client_exceptions import UnixClientConnectorError
from aiohttp.client_reqrep import ConnectionKey
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from orchestrator.adapters import once
from orchestrator.adapters.clouds.exchange import AnswerLost, unanswered
from orchestrator.adapters.clouds.limits import Limits
from orchestrator.adapters.clouds.vast.cloud import VAST, VAST_URL, VastCloud
from orchestrator.domain.errors import AccountProblem, CloudError, CloudProtocolError, CloudUnavailable, LaunchUncertain
from tests.adapters.vast.conftest import OpenVast
from tests.adapters.vast.scripted import KEY, Reply, ScriptedVast
from tests.contract.cloud_suite import CALLS, NEEDS, ORDER, Call, every_method
from tests.contract.cloud_suite import KEY as LABEL

TO = ConnectionKey("localhost", 1, False, True, None, None, None)
HEADERS = CIMultiDictProxy(CIMultiDict({"Authorization": f"Bearer {KEY}"}))
ASKED = aiohttp.RequestInfo(URL("http://localhost/"), "PUT", HEADERS, URL("http://localhost/"))
REFUSED = OSError(111, "refused")
ARGUMENTS: dict[type[BaseException], tuple[object, ...]] = {
    aiohttp.ClientResponseError: (ASKED, ()),
    aiohttp.ClientConnectorError: (TO, REFUSED),
    aiohttp.ClientConnectorCertificateError: (TO, ValueError("not trusted")),
    UnixClientConnectorError: ("/nowhere", TO, REFUSED),
    aiohttp.ServerFingerprintMismatch: (b"expected", b"got", "localhost", 1),
    aiohttp.InvalidURL: ("http://",),
    aiohttp.ClientOSError: (104, "reset"),
}
SENT_NOTHING = (
    aiohttp.ClientConnectorError,
    aiohttp.ClientConnectorCertificateError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.ServerFingerprintMismatch,
    aiohttp.InvalidURL,
)


def _all_of(kind: type[BaseException]) -> list[type[BaseException]]:
    return [kind, *(inner for sub in kind.__subclasses__() for inner in _all_of(sub))]


def _made(kind: type[BaseException]) -> BaseException:
    """Make one with arguments that fit it, or the nearest class that says which fit."""
    fitting = next((ARGUMENTS[base] for base in kind.__mro__ if base in ARGUMENTS), ("broken",))
    return kind(*fitting)


class _BrokenConnector(aiohttp.TCPConnector):
    """Raises instead of connecting."""

    error: BaseException

    async def connect(self, *_: object, **__: object) -> aiohttp.connector.Connection:
        raise self.error


EXCEPTIONS = sorted({*_all_of(aiohttp.ClientError), TimeoutError, ConnectionResetError}, key=lambda kind: kind.__name__)


@pytest.mark.parametrize("kind", EXCEPTIONS, ids=lambda kind: kind.__name__)
@every_method
async def test_no_exception_of_aiohttp_crosses_the_port(
    open_vast: OpenVast, cloud: VastCloud, vast: ScriptedVast, kind: type[BaseException], call: Call
) -> None:
    vast.stock(1)
    offer = (await cloud.offers(NEEDS))[0]
    connector = _BrokenConnector()
    connector.error = _made(kind)

    async with aiohttp.ClientSession(connector=connector) as session:
        broken = VastCloud(url=vast.url, key=KEY, session=session, pace=0)
        with pytest.raises(CloudError) as raised:
            await call.on(broken, offer)

    assert KEY not in repr(raised.value)
    assert raised.value.__cause__ is raised.value.__context__ is None, "aiohttp's exceptions hold our key"


@pytest.mark.parametrize("kind", EXCEPTIONS, ids=lambda kind: kind.__name__)
def test_only_what_sent_nothing_is_certain(kind: type[BaseException]) -> None:
    """The order of an uncertain answer has to be looked for; calling it certain by mistake buys twice."""
    error = _made(kind)
    assert isinstance(error, Exception)

    known = unanswered(VAST, once.unanswered(error), "launch")

    is_certain = isinstance(known, CloudUnavailable) and not isinstance(known, AnswerLost)
    assert is_certain == issubclass(kind, SENT_NOTHING)


async def test_a_cloud_that_is_not_there_has_sold_nothing(open_vast: OpenVast, vast: ScriptedVast) -> None:
    vast.stock(2)
    cloud = open_vast()
    offer, other = await cloud.offers(NEEDS)
    await cloud.launch(offer, LABEL, ORDER)
    nowhere = open_vast(url="http://127.0.0.1:1")

    with pytest.raises(CloudUnavailable) as raised:
        await nowhere.launch(other, LABEL, ORDER)

    assert not isinstance(raised.value, LaunchUncertain)


@every_method
async def test_a_redirect_is_never_followed(vast: ScriptedVast, cloud: VastCloud, call: Call) -> None:
    """The key would travel along."""
    vast.stock(1)
    offer = (await cloud.offers(NEEDS))[0]
    vast.seen.clear()
    vast.always(Reply(status=307, body=b"", headers={"Location": f"{vast.url}/elsewhere/"}))

    with pytest.raises(CloudProtocolError):
        await call.on(cloud, offer)

    assert len(vast.seen) == 1


async def test_every_path_ends_in_a_slash_and_carries_the_key(vast: ScriptedVast, cloud: VastCloud) -> None:
    vast.stock(1)
    offer = (await cloud.offers(NEEDS))[0]

    for call in CALLS:
        await call.on(cloud, offer)

    assert {seen.operation for seen in vast.seen} >= {"search", "launch", "list", "show", "terminate", "account"}
    assert {seen.headers["Authorization"] for seen in vast.seen} == {f"Bearer {KEY}"}


async def test_a_key_pasted_with_a_newline_works(open_vast: OpenVast) -> None:
    await open_vast(key=f" {KEY}\n").account()


@pytest.mark.parametrize("key", ["two words", "line\r\nInjected: header", "schlüssel"])
async def test_a_key_that_is_none_is_a_problem_of_the_account(
    open_vast: OpenVast, vast: ScriptedVast, key: str
) -> None:
    with pytest.raises(AccountProblem) as raised:
        await open_vast(key=key).account()

    assert vast.seen == []
    assert key not in str(raised.value)


async def test_a_key_that_the_cloud_repeats_is_not_passed_on(open_vast: OpenVast, vast: ScriptedVast) -> None:
    """Hidden for what it is, not only for looking like one."""
    vast.script("account", Reply(status=400, body={"error": "odd", "msg": "who is correct-horse-battery?"}))

    with pytest.raises(CloudProtocolError) as raised:
        await open_vast(key="correct-horse-battery").account()

    assert str(raised.value) == "vast: account: 400 odd: who is [hidden]?"


async def test_an_answer_is_read_up_to_its_limit_and_no_further(open_vast: OpenVast, vast: ScriptedVast) -> None:
    answer = b'{"credit": 1.0}'
    vast.always(Reply(body=answer), "account")

    await open_vast(limits=Limits(answer_bytes=len(answer))).account()
    with pytest.raises(CloudProtocolError, match="more than 14 bytes"):
        await open_vast(limits=Limits(answer_bytes=len(answer) - 1)).account()


async def test_an_address_may_have_a_path(open_vast: OpenVast, vast: ScriptedVast) -> None:
    with pytest.raises(CloudProtocolError):
        await open_vast(url=f"{vast.url}/mirror/").account()

    assert [seen.operation for seen in vast.seen] == ["unknown"]


async def test_odd_references_stay_inside_their_place_in_the_path(vast: ScriptedVast, cloud: VastCloud) -> None:
    with pytest.raises(CloudProtocolError):
        await cloud.rental("../../v0/users/current/?x=")  # type: ignore[arg-type]

    assert [seen.operation for seen in vast.seen] == ["unknown"]


def test_the_usual_address_is_the_one_host_that_does_not_redirect() -> None:
    assert VAST_URL == "https://console.vast.ai"
