"""Writes the goldens of the schedulers: diffusers' timesteps, and latents after every step, with random model outputs.

Nothing random is stored: latents, model outputs and the scheduler's own noise come from torch's generator with the seeds below, and the
test draws them again. A case is "NAME/VARIANT/STEPS"; its tensor holds the latents after each step. "NAME/late" starts from noised clean
latents.
"""

import argparse
import inspect
import os
import warnings

# Torch takes square roots from MKL, whose AVX-512 form is wrong in the last bit once in 150 numbers and whose AVX2 form is exact. A sigma's
# last bit is visible in a fractional timestep.
os.environ["MKL_CBWR"] = "AVX2"

import diffusers
import torch
from common import save
from diffusers.schedulers.scheduling_euler_ancestral_discrete import EulerAncestralDiscreteSchedulerOutput

SHAPE = (1, 4, 6, 5)
LATENTS_SEED, NOISE_SEED, OUTPUT_SEED = 7, 42, 1000
STEPS = (1, 4, 10, 25)
LATE_STEPS, LATE_START = 10, 4

CLASSES = {
    "ddim": "DDIMScheduler",
    "ddpm": "DDPMScheduler",
    "pndm": "PNDMScheduler",
    "lms": "LMSDiscreteScheduler",
    "euler": "EulerDiscreteScheduler",
    "euler-ancestral": "EulerAncestralDiscreteScheduler",
    "heun": "HeunDiscreteScheduler",
    "dpmpp-2m": "DPMSolverMultistepScheduler",
    "dpmpp-2m-sde": "DPMSolverMultistepScheduler",
    "dpmpp-2s": "DPMSolverSinglestepScheduler",
    "unipc": "UniPCMultistepScheduler",
    "deis": "DEISMultistepScheduler",
    "lcm": "LCMScheduler",
    "tcd": "TCDScheduler",
}
SUFFIXED = ("lms", "euler", "heun", "dpmpp-2m", "dpmpp-2m-sde", "dpmpp-2s", "unipc", "deis")
SUFFIXES = ("karras", "exponential", "beta")
NAMES = [name for kind in CLASSES for name in [kind, *(f"{kind}-{s}" for s in SUFFIXES if kind in SUFFIXED)]]

# The scheduler_config.json of Stable Diffusion 1.5.
SD15 = {
    "_class_name": "PNDMScheduler",
    "_diffusers_version": "0.6.0",
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "num_train_timesteps": 1000,
    "set_alpha_to_one": False,
    "skip_prk_steps": True,
    "steps_offset": 1,
    "trained_betas": None,
    "clip_sample": False,
}
# The scheduler_config.json of Stable Video Diffusion, unchanged.
SVD = {
    "_class_name": "EulerDiscreteScheduler",
    "_diffusers_version": "0.24.0.dev0",
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "clip_sample": False,
    "interpolation_type": "linear",
    "num_train_timesteps": 1000,
    "prediction_type": "v_prediction",
    "set_alpha_to_one": False,
    "sigma_max": 700.0,
    "sigma_min": 0.002,
    "skip_prk_steps": True,
    "steps_offset": 1,
    "timestep_spacing": "leading",
    "timestep_type": "continuous",
    "trained_betas": None,
    "use_karras_sigmas": True,
}
# Config files by variant; a class ignores keys that it does not have.
VARIANTS = {
    "sd15": SD15,
    "defaults": {"_class_name": "PNDMScheduler"},
    "v-zero-snr": SD15 | {"prediction_type": "v_prediction", "timestep_spacing": "trailing", "rescale_betas_zero_snr": True},
    "v-linspace": SD15 | {"prediction_type": "v_prediction", "timestep_spacing": "linspace"},
    "leading": SD15 | {"timestep_spacing": "leading", "final_sigmas_type": "sigma_min"},
    "sample": SD15 | {"prediction_type": "sample", "timestep_spacing": "trailing"},
    "third-order": SD15 | {"solver_order": 3},
    "heun-form": SD15 | {"solver_type": "heun", "euler_at_final": True, "clip_sample": True, "clip_sample_range": 2.0},
    "third-order-heun-form": SD15 | {"solver_order": 3, "solver_type": "heun", "prediction_type": "v_prediction"},
    "dpmsolver": SD15 | {"algorithm_type": "dpmsolver", "final_sigmas_type": "sigma_min", "solver_type": "heun"},
    "dpmsolver-3": SD15 | {"algorithm_type": "dpmsolver", "final_sigmas_type": "sigma_min", "solver_order": 3},
    "sde-dpmsolver": SD15 | {"algorithm_type": "sde-dpmsolver", "final_sigmas_type": "sigma_min"},
    "noise-prediction": SD15 | {"predict_x0": False, "disable_corrector": [0, 3], "solver_order": 3, "final_sigmas_type": "sigma_min"},
    "bh1": SD15 | {"solver_type": "bh1", "solver_order": 3, "final_sigmas_type": "sigma_min"},
    "fixed-large": SD15 | {"variance_type": "fixed_large", "beta_schedule": "sigmoid"},
    "cosine": SD15 | {"beta_schedule": "squaredcos_cap_v2", "lambda_min_clipped": -5.1},
    "sigma-range": SD15 | {"sigma_min": 0.05, "sigma_max": 12.0, "timestep_type": "continuous", "prediction_type": "v_prediction"},
    "lcm-range": SD15 | {"original_inference_steps": 40, "timestep_scaling": 3.0},
}
# In addition to the first six variants, which every plain name runs.
EXTRA = {
    "ddpm": ("heun-form", "fixed-large"),
    "ddim": ("heun-form", "cosine"),
    "heun": ("heun-form",),
    "euler-karras": ("sigma-range",),
    "euler": ("sigma-range",),
    "unipc-beta": ("sigma-range",),
    "unipc": ("third-order", "noise-prediction", "bh1"),
    "deis": ("third-order",),
    "dpmpp-2m": ("third-order", "heun-form", "third-order-heun-form", "dpmsolver", "dpmsolver-3", "sde-dpmsolver"),
    "dpmpp-2m-karras": ("cosine",),
    "dpmpp-2m-sde": ("third-order", "heun-form"),
    "dpmpp-2s": ("third-order", "heun-form", "third-order-heun-form", "dpmsolver", "dpmsolver-3", "cosine"),
    "lcm": ("lcm-range",),
    "tcd": ("lcm-range",),
}
NO_SAMPLE_PREDICTION = ("pndm", "euler-ancestral")


def variants(name: str) -> list[str]:
    plain = list(VARIANTS)[:6] if name in CLASSES else ["sd15", "v-zero-snr"]
    return [v for v in plain if not (v == "sample" and name in NO_SAMPLE_PREDICTION)] + list(EXTRA.get(name, ()))


def make(name: str, config: dict):
    kind = max((kind for kind in CLASSES if name == kind or name[len(kind) :].lstrip("-") in SUFFIXES and name.startswith(kind)), key=len)
    suffix = name[len(kind) :].lstrip("-")
    extra = {f"use_{suffix}_sigmas": True} if suffix else {}
    if kind == "dpmpp-2m-sde":
        extra["algorithm_type"] = "sde-dpmsolver++"
    return getattr(diffusers, CLASSES[kind]).from_config(config, **extra)


def randn(seed: int) -> torch.Tensor:
    return torch.randn(SHAPE, generator=torch.Generator("cpu").manual_seed(seed))


def begin(scheduler, index: int) -> None:
    """Keys the scheduler by step index; otherwise it looks up the first timestep and takes the second of two equal ones."""
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(index)


def walk(scheduler, latents: torch.Tensor, start: int, **extra) -> tuple[torch.Tensor, torch.Tensor]:
    """Latents after each step from `start` on, and the scaled model input of the last step."""
    if "generator" in inspect.signature(scheduler.step).parameters:
        extra["generator"] = torch.Generator("cpu").manual_seed(NOISE_SEED)
    rows = []
    for index, t in enumerate(scheduler.timesteps[start:], start):
        scaled = scheduler.scale_model_input(latents, t)
        latents = scheduler.step(randn(OUTPUT_SEED + index), t, latents, **extra).prev_sample
        rows.append(latents)
    rows = torch.stack(rows)
    assert rows.isfinite().all()
    return rows, scaled


class KDiffusionEulerAncestral(diffusers.EulerAncestralDiscreteScheduler):
    """With the step of k-diffusion 0.1.1's `sample_euler_ancestral`, which supports an eta, in f64."""

    def step(self, model_output, timestep, sample, eta, generator):
        x, model_output = sample.double(), model_output.double()
        sigma, sigma_to = self.sigmas[self.step_index].double(), self.sigmas[self.step_index + 1].double()
        if self.config.prediction_type == "epsilon":
            denoised = x - sigma * model_output
        else:
            denoised = x / (sigma**2 + 1) - model_output * sigma / (sigma**2 + 1) ** 0.5
        sigma_up = min(sigma_to, eta * (sigma_to**2 * (sigma**2 - sigma_to**2) / sigma**2) ** 0.5)
        sigma_down = (sigma_to**2 - sigma_up**2) ** 0.5
        noise = torch.randn(sample.shape, generator=generator).double()
        x = x + (x - denoised) / sigma * (sigma_down - sigma) + noise * sigma_up
        self._step_index += 1
        return EulerAncestralDiscreteSchedulerOutput(prev_sample=x.float())


def trajectory(tensors: dict, name: str, variant: str, config: dict, steps: int, **extra) -> dict:
    """Adds the tensors of one case; returns its description."""
    scheduler = make(name, config)
    if name == "euler-ancestral" and extra:
        scheduler = KDiffusionEulerAncestral.from_config(scheduler.config)
    scheduler.set_timesteps(steps)
    begin(scheduler, 0)
    sigma = float(scheduler.init_noise_sigma)
    rows, scaled = walk(scheduler, randn(LATENTS_SEED) * scheduler.init_noise_sigma, 0, **extra)
    key = "/".join(map(str, [name, variant, steps, *extra.values()]))
    tensors[key], tensors[f"{key}/scaled"] = rows, scaled
    tensors[f"{key}/timesteps"] = scheduler.timesteps.to(torch.float64)
    return {"key": key, "name": name, "variant": variant, "steps": steps, "init_noise_sigma": sigma} | extra


# Ancestral steps are computed in f64 here, because diffusers' own rounding would be visible with zero terminal signal.
ETA_VARIANTS = {
    "ddim": ["sd15", "defaults", "v-zero-snr", "v-linspace", "sample", "heun-form", "cosine"],
    "tcd": ["sd15", "v-zero-snr", "lcm-range"],
    "euler-ancestral": ["sd15", "v-linspace"],
}


def eta() -> None:
    """Etas other than the default."""
    tensors, cases = {}, []
    for name, variants in ETA_VARIANTS.items():
        for variant in variants:
            for share in (0.0, 0.3, 0.7, 1.0):
                if (name, variant, share) == ("ddim", "v-zero-snr", 1.0):
                    continue  # The square root of a number that rounding makes negative: diffusers has no image.
                for steps in (3, 7):
                    cases.append(trajectory(tensors, name, variant, VARIANTS[variant], steps, eta=share))
    for variant in ETA_VARIANTS["euler-ancestral"]:
        trajectory(tensors, "euler-ancestral", variant, VARIANTS[variant], 7)
        diffusers_own, k_diffusions = (tensors.pop(f"euler-ancestral/{variant}/7"), tensors[f"euler-ancestral/{variant}/7/1.0"])
        assert (diffusers_own - k_diffusions).norm() < 1e-6 * diffusers_own.norm()
    tensors = {key: tensor for case in cases for key, tensor in tensors.items() if key.startswith(case["key"])}
    save("schedulers", "eta", tensors, cases=cases, configs=VARIANTS)


def video() -> None:
    """Stable Video Diffusion's own scheduler, in a separate file: its latents begin at 700 and end at 1."""
    tensors: dict = {}
    cases = [trajectory(tensors, "euler-karras", "svd", SVD, steps) for steps in STEPS]
    save("schedulers", "video", tensors, cases=cases, configs={"svd": SVD})


def trajectories() -> None:
    tensors, cases = {}, []
    for name in NAMES:
        for variant in variants(name):
            for steps in STEPS:
                if variant.endswith(("-3", "third-order-heun-form")) and name == "dpmpp-2s" and steps < 3:
                    continue
                if name == "pndm" and variant == "defaults" and steps < 4:
                    continue
                cases.append(trajectory(tensors, name, variant, VARIANTS[variant], steps))
        scheduler = make(name, SD15)
        scheduler.set_timesteps(LATE_STEPS)
        start = LATE_START * scheduler.order
        begin(scheduler, start)
        noisy = scheduler.add_noise(randn(LATENTS_SEED), randn(LATENTS_SEED + 1), scheduler.timesteps[start : start + 1])
        rows, _ = walk(scheduler, noisy, start)
        tensors[f"{name}/late"] = torch.cat([noisy[None], rows])
    save("schedulers", "trajectories", tensors, cases=cases, configs=VARIANTS, late={"steps": LATE_STEPS, "start": LATE_START})


def timesteps() -> None:
    """All numbers of steps from 1 to 100; equal schedules are stored once."""
    tensors, cases, seen = {}, {}, {}
    for name in NAMES:
        for spacing in ("leading", "linspace", "trailing"):
            lengths, values = [], []
            scheduler = make(name, SD15 | {"timestep_spacing": spacing})
            for steps in range(1, 101):
                if name in ("lcm", "tcd") and steps > 50:
                    continue
                scheduler.set_timesteps(steps)
                lengths.append(len(scheduler.timesteps))
                values.append(scheduler.timesteps.to(torch.float32))
                assert (scheduler.timesteps.to(torch.float64) == values[-1].to(torch.float64)).all()
            values, lengths = torch.cat(values), torch.tensor(lengths)
            key = seen.setdefault((values.numpy().tobytes(), lengths.numpy().tobytes()), f"{name}/{spacing}")
            tensors[key], tensors[f"{key}/lengths"] = values, lengths
            cases[f"{name}/{spacing}"] = key
    save("schedulers", "timesteps", tensors, cases=cases, config=SD15)


def main() -> None:
    goldens = {"trajectories": trajectories, "timesteps": timesteps, "video": video, "eta": eta}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=goldens, help="generate one golden")
    only = parser.parse_args().only
    warnings.simplefilter("ignore")
    diffusers.logging.set_verbosity_error()
    for name, make_golden in goldens.items():
        if only in (None, name):
            make_golden()


if __name__ == "__main__":
    main()
