"""``python -m tests.economics [SEEDS]``: what ``auto`` costs in terms of the best fixed rule, and of the bound."""

import sys

from tests.economics.judged import TERMS, Case, cases, judge
from tests.economics.logs import first_users_people


def main(seeds: int) -> None:
    worst = 0.0
    print(f"{'log':<36}{'bridge $':>9}{'cold s':>8}{'to best fixed':>15}{'to informed':>13}  best fixed")
    for case in (Case(name="ninety days", people=first_users_people()), *cases(range(seeds))):
        for terms in TERMS:
            found = judge(case, terms)
            worst = max(worst, found.ratio)
            print(
                f"{case.name:<36}{terms.bridge_usd:>9}{terms.cold_start_s:>8}{found.ratio:>15.3f}"
                f"{found.auto / found.informed:>13.3f}  {found.best_fixed_rule}"
            )
    print(f"at most {worst:.3f} x best fixed")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
