"""The gate: a route gets the project, task, storage, webhook or user that its path names if the caller may see it.

What they may not see answers exactly as what does not exist. A route that takes its object from here can't forget to
ask; ids in bodies and queries go through `visible_project`.
"""

from collections.abc import Callable
from typing import Annotated, NamedTuple

from fastapi import Depends

from functions.dependencies import Caller, Ctx
from functions.requests import Id, number
from shared.errors import ForbiddenError, NotFoundError
from shared.model.annotation import Annotation, Prediction
from shared.model.fields import Direction
from shared.model.project import Project
from shared.model.provider import Provider
from shared.model.storage import Storage
from shared.model.user import User
from shared.model.webhook import Webhook
from shared.ports import Document
from shared.services import projects
from shared.services.accounts import users
from shared.services.context import Context
from shared.services.labelling import annotating, predicting, tasks
from shared.services.storages import registration
from shared.services.webhooks import webhooks


class TaskOfProject(NamedTuple):
    """A task's document, and the project that it belongs to."""

    document: Document
    project: Project

    @property
    def id(self) -> int:
        """The task's."""
        return int(self.document.ref.id)


def visible_project(ctx: Context, user: User, project: int) -> Project:
    """The project of a body or a query. Raises `NotFoundError`, also if the user may not see it."""
    return projects.get(ctx, project if user.may_see(project) else 0)


def own_project(ctx: Ctx, user: Caller, id: Id) -> Project:  # noqa: A002  the API's name
    """The project of the path."""
    return visible_project(ctx, user, number(id))


def own_task(ctx: Ctx, user: Caller, id: Id) -> TaskOfProject:  # noqa: A002
    """The task of the path."""
    found = TaskOfProject(*tasks.get(ctx, number(id)))
    if not user.may_see(found.project.id):
        raise NotFoundError(tasks.UNKNOWN)
    return found


def own_annotation(ctx: Ctx, user: Caller, id: Id) -> Annotation:  # noqa: A002
    """The annotation of the path, unless its project is gone."""
    found = annotating.get(ctx, number(id))
    if not user.may_see(found.project) or ctx.projects.get(found.project) is None:
        raise NotFoundError(annotating.UNKNOWN)
    return found


def own_prediction(ctx: Ctx, user: Caller, id: Id) -> Prediction:  # noqa: A002
    """The prediction of the path, unless its project is gone."""
    found = predicting.get(ctx, number(id))
    if not user.may_see(found.project) or ctx.projects.get(found.project) is None:
        raise NotFoundError(predicting.UNKNOWN)
    return found


def own_storage(provider: Provider, direction: Direction) -> Callable[[Context, User, str], Storage]:
    """A dependency that gives the storage of the path, as it is stored, if it is one of this type and direction."""

    def storage_of(ctx: Ctx, user: Caller, id: Id) -> Storage:  # noqa: A002
        return registration.find(ctx, provider, number(id), direction, user=user)

    return storage_of


def own_webhook(ctx: Ctx, user: Caller, id: Id) -> Webhook:  # noqa: A002
    """The webhook of the path. Those of all projects are the admins'."""
    return webhooks.find(ctx, number(id), user=user)


def visible_user(ctx: Context, caller: User, user: int) -> User:
    """The user of a query. Raises `NotFoundError`, also if the caller may not see them."""
    return users.find(ctx, user, caller=caller)


def own_user(ctx: Ctx, caller: Caller, id: Id) -> User:  # noqa: A002
    """The user of the path: for a member themselves, for an admin anybody who has access."""
    return visible_user(ctx, caller, number(id))


def admin(user: Caller) -> User:
    """The caller, if an admin. Raises `ForbiddenError`."""
    if not user.admin:
        raise ForbiddenError("You do not have permission to perform this action: only an admin has.")
    return user


OwnProject = Annotated[Project, Depends(own_project)]
OwnTask = Annotated[TaskOfProject, Depends(own_task)]
OwnAnnotation = Annotated[Annotation, Depends(own_annotation)]
OwnPrediction = Annotated[Prediction, Depends(own_prediction)]
OwnWebhook = Annotated[Webhook, Depends(own_webhook)]
OwnUser = Annotated[User, Depends(own_user)]
Admin = Annotated[User, Depends(admin)]
