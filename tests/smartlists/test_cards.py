"""Adding, moving and removing cards keeps what the other cards mean."""

from hypothesis import given
from hypothesis import strategies as st

from smartlists import cards, logic, rules

A, B, C, D = (rules.PersonField("country", "is", (name,)) for name in "ABCD")


def test_cards_keep_the_meaning_of_an_expression():
    found = rules.Rules("advanced", (A, B, C), "1 and (2 or not 3)")
    assert cards.move(found, 1, 3) == rules.Rules("advanced", (B, C, A), "3 and (1 or not 2)")
    assert cards.remove(found, 2) == rules.Rules("advanced", (A, C), "1 and not 2")
    assert cards.add(found, D) == rules.Rules("advanced", (A, B, C, D), "1 and (2 or not 3) and 4")
    assert cards.change(found, 2, D) == rules.Rules("advanced", (A, D, C), found.logic)
    one = rules.Rules("advanced", (A,), "not 1")
    assert cards.remove(one, 1) == rules.Rules("all", ())


def test_other_matches_have_no_expression():
    found = rules.Rules("any", (A, B))
    assert cards.add(found, C).filters == (A, B, C)
    assert cards.move(found, 2, 1).filters == (B, A)
    assert cards.remove(found, 1) == rules.Rules("any", (B,))
    assert cards.combine(found, "advanced") == rules.Rules("advanced", (A, B), "1 or 2")
    assert cards.combine(cards.combine(found, "advanced"), "all") == rules.Rules("all", (A, B))
    assert cards.combine(rules.Rules(), "advanced") == rules.Rules()


expressions = st.recursive(
    st.integers(1, 4).map(logic.Number),
    lambda parts: (
        st.builds(logic.Not, parts)
        | st.builds(logic.Group, st.sampled_from(["and", "or"]), st.lists(parts, min_size=2, max_size=3).map(tuple))
    ),
    max_leaves=8,
)


def value(expression, answers):
    return logic.fold(
        expression, lambda number: answers[number - 1], lambda part: not part,
        lambda word, parts: all(parts) if word == "and" else any(parts),
    )  # fmt: skip


@given(expressions, st.integers(1, 4), st.integers(1, 4), st.lists(st.booleans(), min_size=4, max_size=4))
def test_moving_moves_the_answers_with_the_cards(expression, number, to, answers):
    moved = list(answers)
    moved.insert(to - 1, moved.pop(number - 1))
    assert value(logic.moved(expression, number, to), moved) == value(expression, answers)


@given(expressions)
def test_what_is_written_is_read_back_with_the_same_meaning(expression):
    used = set(logic.numbers(expression))
    whole = logic.Group(
        "and", (expression, *(logic.Group("or", (logic.Number(n), logic.Not(logic.Number(n)))) for n in range(1, 5)))
    )
    read = logic.parse(logic.write(whole), 4)
    for bits in range(16):
        answers = [bool(bits >> position & 1) for position in range(4)]
        assert value(read, answers) == value(expression, answers)
    assert used <= {1, 2, 3, 4}
