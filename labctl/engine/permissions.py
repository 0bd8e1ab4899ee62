"""The least permissions on AWS that labctl and the workers need, as one IAM policy."""

from __future__ import annotations

from typing import Any

from labctl.engine.vocabulary import kinds
from labctl.kinds.policy import least_policy

# What workloads call, and the workers too when they use pushed keys instead of a profile.
JOB_ACTIONS = (
    "dynamodb:BatchGetItem",
    "dynamodb:ConditionCheckItem",
    "dynamodb:PutItem",
    "s3:GetObject",
    "s3:PutObject",
    "sqs:ChangeMessageVisibility",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "sqs:PurgeQueue",
    "sqs:ReceiveMessage",
    "sqs:SendMessage",
)


def least_permissions() -> dict[str, Any]:
    """Return the policy for everything that labs can bring up and run."""
    return least_policy(kinds().values(), also=JOB_ACTIONS)
