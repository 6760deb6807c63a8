"""The account over HTTP: money and SSH keys."""

from dataclasses import dataclass
from datetime import UTC, datetime

from aiohttp import web

from orchestrator.sandbox.cloud import Cloud, Refusal, SshKey
from orchestrator.sandbox.machine import public_data
from orchestrator.sandbox.replies import Route, number_in_path, read_object, reply

USER_ID = 424_242
KEYS = r"/api/v0/ssh{slash:/?}"
ONE_KEY = r"/api/v0/ssh/{id:\d+}{slash:/?}"


@dataclass(frozen=True, slots=True)
class AccountApi:
    cloud: Cloud
    key: str

    def routes(self) -> tuple[Route, ...]:
        return (
            Route(operation="user", method="GET", path=r"/api/v0/users/current{slash:/?}", handler=self._user),
            Route(operation="ssh", method="GET", path=KEYS, handler=self._keys),
            Route(operation="ssh", method="POST", path=KEYS, handler=self._add_key),
            Route(operation="ssh", method="PUT", path=ONE_KEY, handler=self._change_key),
            Route(operation="ssh", method="DELETE", path=ONE_KEY, handler=self._delete_key),
        )

    async def _user(self, request: web.Request) -> web.Response:  # noqa: ARG002  (aiohttp's signature)
        """Tell the balance; as on the real cloud the answer holds the key, so nobody may log it."""
        latest = next(reversed(self.cloud.ssh_keys.values()), None)
        return reply(
            {
                "id": USER_ID,
                "username": "sandbox",
                "email": "sandbox@localhost",
                "api_key": self.key,
                "credit": round(self.cloud.credit_usd, 6),
                "balance": 0.0,
                "ssh_key": latest.text if latest else None,
                "sid": "sandbox",
            }
        )

    async def _keys(self, request: web.Request) -> web.Response:  # noqa: ARG002  (aiohttp's signature)
        if not self.cloud.ssh_keys:
            raise Refusal(404, "not_found", "No SSH keys found for the user")
        return reply([_as_json(key, "key") for key in self.cloud.ssh_keys.values()])

    async def _add_key(self, request: web.Request) -> web.Response:
        key = self.cloud.add_key(_key_text(await read_object(request)))
        return reply({"success": True, "key": _as_json(key, "public_key")})

    async def _change_key(self, request: web.Request) -> web.Response:
        key = self._find(request)
        key.text = _key_text(await read_object(request))
        return reply({"success": True, "key": _as_json(key, "public_key")})

    async def _delete_key(self, request: web.Request) -> web.Response:
        del self.cloud.ssh_keys[self._find(request).id]
        return reply({"success": True})

    def _find(self, request: web.Request) -> SshKey:
        key = self.cloud.ssh_keys.get(number_in_path(request))
        if key is None:
            raise Refusal(404, "not_found", "No such ssh key")
        return key


def _key_text(body: dict[str, object]) -> str:
    text = str(body.get("ssh_key") or "").strip()
    if public_data(text) is None:
        raise Refusal(400, "no_ssh_key", "No ssh key provided")
    return text


def _as_json(key: SshKey, name: str) -> dict[str, object]:
    """Show a key; its text is called `public_key` where it is made and `key` where keys are listed."""
    created = datetime.fromtimestamp(key.created, UTC).isoformat()
    return {"id": key.id, "user_id": USER_ID, name: key.text, "created_at": created, "deleted_at": None}
