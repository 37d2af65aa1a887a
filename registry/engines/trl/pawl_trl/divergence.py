"""The distillation loss, chunk by chunk, so that no second copy of a batch's distributions is ever held."""

import torch
from trl.experimental.sdft.loss_utils import compute_divergence

ALPHA = {"forward_kl": 0.0, "jsd": 0.5, "reverse_kl": 1.0}
CHUNK = 64


def token_divergence(
    student: torch.Tensor, teacher: torch.Tensor, alpha: float, temperature: float, top_k: int
) -> torch.Tensor:
    """(N, V) logits of both sides -> (N,) divergence; with top_k over the teacher's K likeliest tokens, renormalised.

    TRL's own top-K takes the student's support, which can never pull up a token that the student ranks low.
    """
    student = student.float() / temperature
    teacher = teacher.float() / temperature
    if 0 < top_k < teacher.shape[-1]:
        teacher, index = teacher.topk(top_k, dim=-1)
        student = student.gather(-1, index)
    return compute_divergence(torch.log_softmax(student, dim=-1), torch.log_softmax(teacher, dim=-1), alpha)


class _WeightedDivergence(torch.autograd.Function):
    """sum(weights * divergence); the gradient of a chunk is made while the chunk is at hand."""

    @staticmethod
    def forward(ctx, student, teacher, weights, alpha, temperature, top_k):  # noqa: ANN001, ANN205
        gradient = torch.empty_like(student)
        values = torch.empty(student.shape[0], dtype=torch.float32, device=student.device)
        with torch.enable_grad(), torch.autocast(student.device.type, enabled=False):
            for start in range(0, student.shape[0], CHUNK):
                rows = slice(start, start + CHUNK)
                chunk = student[rows].detach().requires_grad_()
                divergence = token_divergence(chunk, teacher[rows], alpha, temperature, top_k)
                (gradient[rows],) = torch.autograd.grad((divergence * weights[rows]).sum(), chunk)
                values[rows] = divergence.detach()
        ctx.save_for_backward(gradient)
        ctx.mark_non_differentiable(values)
        return (values * weights).sum(), values

    @staticmethod
    def backward(ctx, total, _):  # noqa: ANN001, ANN205
        (gradient,) = ctx.saved_tensors
        return gradient.mul_(total.to(gradient.dtype)), None, None, None, None, None


def weighted_divergence(
    student: torch.Tensor, teacher: torch.Tensor, weights: torch.Tensor, alpha: float, temperature: float, top_k: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """The weighted sum over the tokens, differentiable in the student's logits, and each token's divergence."""
    return _WeightedDivergence.apply(student, teacher, weights, alpha, temperature, top_k)
