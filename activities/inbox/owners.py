"""The owner of a waiting event: the association that gets it when it is replayed, as SQL for rows `w`.

An event that came under an association is that owner's until the association is undone. Else it is the first standing
owner's, as all that waited when the first association began. What came later, as from a visitor that several people
share, belongs to no person.
"""

STANDING = "(select s.id from association s where s.id = w.association_id and s.undone_at is null)"
_FIRST = """(select min(s.id) from association s where s.visitor_id = w.visitor_id and s.undone_at is null
    having (array_agg(s.created_at order by s.id))[1] >= w.received_at)"""
OWNER = f"coalesce({STANDING}, {_FIRST})"
