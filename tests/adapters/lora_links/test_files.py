"""What is fetched at a stranger's link, and what is not."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp import web

from orchestrator.adapters.lora_links.addresses import is_public, look_up
from orchestrator.adapters.lora_links.files import REDIRECTS, LinkedLoras, LinkLimits
from orchestrator.domain.errors import RequestError
from orchestrator.domain.loras import LoraFile, direct_link
from tests.adapters.lora_links.internet import (
    INSIDE,
    LORA,
    NAME,
    OTHER,
    OUTSIDE,
    Internet,
    an_internet,
    gives,
    leads_to,
    safetensors,
    write_certificate,
)

IMPATIENT = LinkLimits(silence=timedelta(seconds=0.2), whole=timedelta(seconds=0.6))
INK = safetensors(*LORA)
PRIVATE_4 = (
    "127.0.0.1",
    "10.1.2.3",
    "192.168.0.1",
    "172.16.9.9",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "224.0.0.1",
)
PRIVATE_6 = (
    "::1",
    "fd00::1",
    "fe80::1%eth0",
    "::ffff:10.0.0.1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
    "fec0::1",
    "::7f00:1",
)
PRIVATE = (*PRIVATE_4, *PRIVATE_6, "2001:0:53aa:64c::1", "no address")


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("certificate") / "both.pem"
    write_certificate(file)
    return file


@pytest.fixture
async def internet(certificate: Path) -> AsyncIterator[Internet]:
    async with an_internet(certificate) as there:
        there.pages["/ink"] = gives(INK)
        yield there


async def refusal(files: LinkedLoras, url: str) -> str:
    with pytest.raises(RequestError) as refused:
        await files.read(url)
    return refused.value.key


async def test_a_lora_is_known_by_its_size_and_checksum(internet: Internet) -> None:
    url = internet.url("/ink")

    read = await internet.files().read(url)

    assert read == LoraFile(url=url, size_bytes=len(INK), sha256=hashlib.sha256(INK).hexdigest())
    assert internet.reached == [(OUTSIDE, "/ink")]


async def test_a_redirect_is_followed_and_the_link_is_kept_as_it_was(internet: Internet) -> None:
    internet.pages["/resolve"] = leads_to("/ink")

    read = await internet.files().read(internet.url("/resolve"))

    assert read.url == internet.url("/resolve")
    assert internet.looked_up == [NAME, NAME], "each hop is checked anew"


class TestAddresses:
    async def test_a_name_that_has_a_private_address_is_not_asked(self, internet: Internet) -> None:
        internet.answers[NAME] = [(INSIDE,)]

        assert await refusal(internet.files(), internet.url("/ink")) == "lora_link_private"
        assert internet.reached == []

    async def test_one_private_address_among_public_ones_is_enough(self, internet: Internet) -> None:
        internet.answers[NAME] = [(OUTSIDE, INSIDE)]

        assert await refusal(internet.files(), internet.url("/ink")) == "lora_link_private"
        assert internet.reached == []

    async def test_a_name_that_has_another_address_by_the_next_look_up_gains_nothing(self, internet: Internet) -> None:
        internet.answers[NAME] = [(OUTSIDE,), (INSIDE,)]

        await internet.files().read(internet.url("/ink"))

        assert internet.reached == [(OUTSIDE, "/ink")], "the connection went to what was checked"
        assert internet.looked_up == [NAME]

    async def test_a_redirect_into_a_private_network_is_not_followed(self, internet: Internet) -> None:
        internet.pages["/moved"] = leads_to(internet.url("/ink", host=INSIDE))

        assert await refusal(internet.files(), internet.url("/moved")) == "lora_link_private"
        assert internet.reached == [(OUTSIDE, "/moved")]

    async def test_a_redirect_to_a_name_that_has_turned_private_is_not_followed(self, internet: Internet) -> None:
        internet.answers[NAME] = [(OUTSIDE,), (INSIDE,)]
        internet.pages["/moved"] = leads_to(internet.url("/ink"))

        assert await refusal(internet.files(), internet.url("/moved")) == "lora_link_private"
        assert internet.reached == [(OUTSIDE, "/moved")]

    async def test_who_answers_has_to_prove_the_name_in_the_link(self, internet: Internet) -> None:
        assert await refusal(internet.files(), internet.url("/ink", host=OTHER)) == "lora_link_dead"
        assert internet.reached == []

    @pytest.mark.parametrize("url", ["http://127.0.0.2/ink", "ftp://127.0.0.2/ink", "file:///etc/passwd"])
    async def test_nothing_but_https_is_fetched(self, internet: Internet, url: str) -> None:
        assert await refusal(internet.files(), url) in {"lora_link_not_https", "bad_lora_link"}

    async def test_a_redirect_to_plain_http_is_not_followed(self, internet: Internet) -> None:
        internet.pages["/moved"] = leads_to(f"http://{NAME}/ink")

        assert await refusal(internet.files(), internet.url("/moved")) == "lora_link_not_https"

    async def test_redirects_end(self, internet: Internet) -> None:
        internet.pages["/round"] = leads_to("/round")

        assert await refusal(internet.files(), internet.url("/round")) == "lora_link_redirects"
        assert len(internet.reached) == REDIRECTS + 1

    @pytest.mark.parametrize("address", PRIVATE)
    def test_what_is_not_the_open_internet(self, address: str) -> None:
        assert not is_public(address)

    @pytest.mark.parametrize("address", ["1.1.1.1", "2606:4700::1111", "64:ff9b::101:101"])
    def test_what_is(self, address: str) -> None:
        assert is_public(address)

    @pytest.mark.parametrize("host", ["127.1", "2130706433", "0x7f.1", "localhost"])
    async def test_no_way_of_writing_this_computer_is_public(self, host: str) -> None:
        assert not all(is_public(address) for address in await look_up(host, 443))


class TestMirrors:
    """A sandbox's mirrors answer on this computer over plain http: they and nothing beside them."""

    @pytest.fixture
    async def mirror(self) -> AsyncIterator[int]:
        app = web.Application()
        app.router.add_get("/ink", gives(INK))
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, OUTSIDE, 0).start()
        yield int(runner.addresses[0][1])
        await runner.cleanup()

    async def test_a_mirror_is_asked(self, internet: Internet, mirror: int) -> None:
        files = internet.files(mirrors=frozenset({(OUTSIDE, mirror)}))

        assert (await files.read(f"http://{OUTSIDE}:{mirror}/ink")).size_bytes == len(INK)

    async def test_another_port_is_not(self, internet: Internet, mirror: int) -> None:
        files = internet.files(mirrors=frozenset({(OUTSIDE, mirror + 1)}))

        assert await refusal(files, f"http://{OUTSIDE}:{mirror}/ink") == "lora_link_not_https"

    async def test_nor_the_same_one_without_a_sandbox(self, internet: Internet, mirror: int) -> None:
        assert await refusal(internet.files(), f"http://{OUTSIDE}:{mirror}/ink") == "lora_link_not_https"


class TestContents:
    async def test_a_page_is_no_file(self, internet: Internet) -> None:
        internet.pages["/page"] = gives(b"<!doctype html>", kind="text/html")

        assert await refusal(internet.files(), internet.url("/page")) == "lora_link_is_page"

    async def test_a_file_for_some_people_alone_is_refused(self, internet: Internet) -> None:
        internet.pages["/gated"] = gives(b"", status=401)

        assert await refusal(internet.files(), internet.url("/gated")) == "lora_link_refused"

    @pytest.mark.parametrize(
        ("body", "key"),
        [
            (b"", "not_safetensors"),
            (b"PK\3\4" + bytes(100), "not_safetensors"),
            ((2**62).to_bytes(8, "little") + b"{}", "not_safetensors"),
            (safetensors(header={"lora_up": "nonsense"}), "not_safetensors"),
            (b"\2\0\0\0\0\0\0\0[]", "not_safetensors"),
            (safetensors("unet.0.weight"), "not_a_lora"),
            (INK[:-1], "not_safetensors"),
            (INK + b"more", "not_safetensors"),
        ],
        ids=["empty", "zip", "endless header", "odd tensor", "no object", "whole model", "cut short", "too long"],
    )
    async def test_what_is_no_lora_is_refused(self, internet: Internet, body: bytes, key: str) -> None:
        internet.pages["/odd"] = gives(body)

        assert await refusal(internet.files(), internet.url("/odd")) == key

    async def test_a_file_that_says_to_be_too_large_is_not_read(self, internet: Internet) -> None:
        few = LinkLimits(largest=len(INK) - 1)

        assert await refusal(internet.files(few), internet.url("/ink")) == "lora_too_large"

    async def test_nor_is_one_that_says_so_in_its_header_alone(self, internet: Internet) -> None:
        async def unsized(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse()
            await response.prepare(request)  # chunked: nobody knows how long it is
            await response.write(INK)
            return response

        internet.pages["/unsized"] = unsized

        few = LinkLimits(largest=len(INK) - 1)

        assert await refusal(internet.files(few), internet.url("/unsized")) == "lora_too_large"
        assert (await internet.files().read(internet.url("/unsized"))).size_bytes == len(INK)

    async def test_silence_is_given_up(self, internet: Internet) -> None:
        async def silent(_: web.Request) -> web.StreamResponse:
            await asyncio.Event().wait()
            raise AssertionError("unreachable: nobody sets it")

        internet.pages["/silent"] = silent

        assert await refusal(internet.files(IMPATIENT), internet.url("/silent")) == "lora_link_slow"

    async def test_a_file_that_drips_is_given_up(self, internet: Internet) -> None:
        async def dripping(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse()
            await response.prepare(request)
            for byte in INK:
                await response.write(bytes((byte,)))
                await asyncio.sleep(0.01)
            return response

        internet.pages["/dripping"] = dripping

        assert await refusal(internet.files(IMPATIENT), internet.url("/dripping")) == "lora_link_slow"


class TestLinks:
    def test_a_page_of_hugging_face_becomes_its_download(self) -> None:
        page = "https://huggingface.co/ada/ink/blob/main/style/ink.safetensors?download=true#top"

        assert direct_link(page) == "https://huggingface.co/ada/ink/resolve/main/style/ink.safetensors?download=true"

    def test_a_signed_link_is_kept_to_the_letter(self) -> None:
        signed = "https://r2.example/b/ink.safetensors?X-Amz-Signature=ab%2Fcd&X-Amz-Expires=60"

        assert direct_link(signed) == signed

    @pytest.mark.parametrize("tail", ["?token=abc", "?a=1&API_KEY=x", "?token"])
    def test_a_link_with_a_key_is_refused(self, tail: str) -> None:
        with pytest.raises(RequestError, match="lora_link_has_key"):
            direct_link(f"https://civitai.example/api/download/models/7{tail}")

    def test_so_is_one_with_a_password(self) -> None:
        with pytest.raises(RequestError, match="lora_link_has_key"):
            direct_link("https://ada:secret@r2.example/ink.safetensors")

    @pytest.mark.parametrize(
        "odd", ["ink", "https://", "https://a b", "https://[::1", "https://a:99999/", "https://a/" + "x" * 3000]
    )
    def test_what_is_no_link_is_refused(self, odd: str) -> None:
        with pytest.raises(RequestError, match="bad_lora_link"):
            direct_link(odd)
