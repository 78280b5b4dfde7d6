"""Moving filters about, and writing an expression, keeps what it means."""

from hypothesis import given
from hypothesis import strategies as st

from smartlists.rules import logic

expressions = st.recursive(
    st.integers(1, 4).map(logic.FilterNumber),
    lambda parts: (
        st.builds(logic.Not, parts)
        | st.builds(logic.Group, st.sampled_from(["and", "or"]), st.lists(parts, min_size=2, max_size=3).map(tuple))
    ),
    max_leaves=8,
)


def value(expression, answers):
    return logic.fold_expression(
        expression,
        lambda number: answers[number - 1],
        lambda part: not part,
        lambda word, parts: all(parts) if word == "and" else any(parts),
    )


@given(expressions, st.integers(1, 4), st.integers(1, 4), st.lists(st.booleans(), min_size=4, max_size=4))
def test_moving_moves_the_answers_with_the_cards(expression, number, to, answers):
    moved = list(answers)
    moved.insert(to - 1, moved.pop(number - 1))
    assert value(logic.with_filter_moved(expression, number, to), moved) == value(expression, answers)


@given(expressions)
def test_what_is_written_is_read_back_with_the_same_meaning(expression):
    used = set(logic.filter_numbers(expression))
    whole = logic.Group(
        "and",
        (
            expression,
            *(logic.Group("or", (logic.FilterNumber(n), logic.Not(logic.FilterNumber(n)))) for n in range(1, 5)),
        ),
    )
    read = logic.parse_logic(logic.write_logic(whole), 4)
    for bits in range(16):
        answers = [bool(bits >> position & 1) for position in range(4)]
        assert value(read, answers) == value(expression, answers)
    assert used <= {1, 2, 3, 4}
