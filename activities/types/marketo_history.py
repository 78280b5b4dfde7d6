"""The standard types whose history a team brings when it moves from Marketo."""

# activities of programs and people; changes of people are recorded here by the changes themselves
HISTORY_TYPES = frozenset({1, 2, 3, 6, 7, 8, 9, 10, 11, 27})
VISIT_WEB_PAGE = 1
# Marketo's names of attributes that pages name otherwise, by type and API name
ATTRIBUTE_NAMES = {(VISIT_WEB_PAGE, "page_path"): "Webpage URL"}
# fields that hold the whole of a value for which the field of Marketo's name is too short
WHOLE_VALUES = {"query_parameters": "query"}
