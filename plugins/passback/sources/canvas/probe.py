"""The connection check: may the token's user read all that a night reads?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from passback.sources.canvas.reading import list_courses, list_sections, list_to_sync, submissions_of

if TYPE_CHECKING:
    from passback.sources.canvas.client import Canvas
    from passback.sources.canvas.pages import Student


async def probe(canvas: Canvas) -> dict[str, int]:
    """Count courses and the assignments that Canvas would export, and read one course's students.

    Returns:
        courses, published courses, assignments to sync, and in the first course that has any to sync:
        sections, those of them with a SIS id, students, those of them with a SIS id.

    Raises:
        PassbackError: as `passback.sources.canvas.pull`.
    """
    courses = await list_courses(canvas)
    to_sync = await list_to_sync(canvas, courses)
    counts = {
        "courses": len(courses),
        "published_courses": sum(course.published for course in courses),
        "assignments_to_sync": len(to_sync),
    }
    asked_for = {assignment.course_id for assignment in to_sync}
    for course in [each for each in courses if each.id in asked_for] or courses:
        sections = await list_sections(canvas, course)
        # Of no state there is, so that students come without their submissions.
        listing = submissions_of(course, (("graded_since", "9999-01-01T00:00:00Z"),))
        students: list[Student] = await canvas.list(listing)
        if students:
            return counts | {
                "sections_of_a_course": len(sections),
                "sections_with_sis_id": sum(bool(section.sis_section_id) for section in sections),
                "students_of_a_course": len(students),
                "students_with_sis_id": sum(bool(student.sis_user_id) for student in students),
            }
    return counts
