"""Who may use the bot on a surface: nobody, unless the settings name them. Pure."""

from dataclasses import dataclass

from orchestrator.api import RequestError

_NOBODY: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """
    Ids as the surface writes them.

    Attributes:
        places: Guilds or groups; everybody in them may use the bot there.
        roles: Whoever has one of them.
        admins: Users or roles.
        contact: Whom to ask, for the refusal; empty means "an admin of this bot".
    """

    users: frozenset[str] = _NOBODY
    places: frozenset[str] = _NOBODY
    roles: frozenset[str] = _NOBODY
    admins: frozenset[str] = _NOBODY
    contact: str = ""

    def is_admin(self, user: str, roles: frozenset[str] = _NOBODY) -> bool:
        return bool(self.admins & {user, *roles})

    def check(self, user: str, place: str, roles: frozenset[str] = _NOBODY) -> None:
        """
        Let those in who may come in.

        Args:
            place: The guild or group that it was said in; empty in private.

        Raises:
            RequestError: They may not; it says whom to ask for what.
        """
        if user in self.users or place in self.places or self.roles & roles or self.is_admin(user, roles):
            return
        raise RequestError("not_allowed", contact=self.contact or "an admin of this bot", user=user)
