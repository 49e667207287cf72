"""Writes the goldens of scheduler files: how diffusers' pipelines and scheduler classes treat them.

Three files. pipelines/schedulers: final latents of diffusers' pipelines, each built by `from_pretrained` from a folder with the tiny model
of pipelines.py, a scheduler file and a model_index.json, with the requested scheduler set in the usual way, `pipe.scheduler =
X.from_config(pipe.scheduler.config)`. pipelines/eta: the same for requests with an eta. schedulers/files: for each scheduler and each key
of a file, the values with which diffusers runs, with the final latents of a short run, and those with which it fails.
"""

import argparse
import json
import math
import tempfile
import warnings
from pathlib import Path

import diffusers
import schedulers
import torch
from common import save, shapes
from pipelines import MODEL, NEGATIVE, PROMPT, Models, paint
from PIL import Image
from schedulers import CLASSES, SD15, begin, make, randn, walk
from transformers import CLIPTokenizer

KINDS = ["text", "image", "inpaint"]
# The pipelines that users build from a folder, by model_index.json's class and the task.
PLAIN = dict(zip(KINDS, ["StableDiffusionPipeline", "StableDiffusionImg2ImgPipeline", "StableDiffusionInpaintPipeline"]))
BETAS = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}


def saved(name: str, **changes) -> dict:
    """The file that diffusers' own save_pretrained writes for a scheduler, read back as JSON."""
    with tempfile.TemporaryDirectory() as folder:
        getattr(diffusers, name)(**changes).save_pretrained(folder)
        return json.loads((Path(folder) / "scheduler_config.json").read_text())


def bare(name: str | None, **keys) -> dict:
    return ({"_class_name": name} if name else {}) | BETAS | keys


def grid() -> list[dict]:
    """The cases: a file, the classes in model_index.json, a request's kind and its scheduler."""
    files = {
        "ddim saved": saved("DDIMScheduler", **BETAS),
        "ddpm saved": saved("DDPMScheduler", **BETAS),
        "pndm saved": saved("PNDMScheduler", **BETAS),
        "ddim bare": bare("DDIMScheduler"),
        "pndm bare": bare("PNDMScheduler"),
    }
    names = [None, "ddim", "ddpm", "pndm", "dpmpp-2m"]
    pairs = [(label, name, kind) for label in files for name in names for kind in KINDS]
    cases = [{"file": files[label], "name": name, "kind": kind, "label": label} for label, name, kind in pairs]

    # Latent consistency models: their own pipelines support only their own scheduler.
    lcm = saved("LCMScheduler", clip_sample=True)
    for name in [None, "lcm", "ddim", "euler"]:
        for kind in KINDS:
            own = kind == "text" and name in [None, "lcm"]
            pipeline = "LatentConsistencyModelPipeline"
            case = {"file": lcm, "name": name, "kind": kind, "label": "lcm clipped", "steps": 4, "unet": {"time_cond_proj_dim": 32}}
            cases.append(case | {"index": pipeline, "pipeline": pipeline if own else PLAIN[kind]})

    # Classes that we do not implement, as diffusers saves them.
    foreign = [
        "KDPM2DiscreteScheduler", "KDPM2AncestralDiscreteScheduler", "EDMEulerScheduler", "EDMDPMSolverMultistepScheduler",
        "IPNDMScheduler", "UnCLIPScheduler", "FlowMatchEulerDiscreteScheduler", "DDIMInverseScheduler", "SASolverScheduler", "RePaintScheduler",
        "ScoreSdeVeScheduler", "DDPMWuerstchenScheduler", "CogVideoXDDIMScheduler",
    ]  # fmt: skip
    for label in foreign:
        for name, kind in [("euler", "text"), ("ddim", "inpaint"), ("dpmpp-2m-karras", "image")]:
            if label == "SASolverScheduler" and name.startswith("dpmpp"):
                continue  # The class does not know the file's algorithm.
            cases.append({"file": saved(label), "name": name, "kind": kind, "label": label})

    # model_index.json names a different class than the file, or is the only one that names a class.
    for own, listed in [("DDIMScheduler", "EulerDiscreteScheduler"), ("EulerDiscreteScheduler", "PNDMScheduler"), ("DDPMScheduler", None)]:
        for name, kind in [(None, "text"), ("ddim", "image")]:
            cases.append({"file": bare(listed), "class": own, "name": name, "kind": kind, "label": f"{own} over {listed}"})
    foreign_index = {"file": bare("EulerDiscreteScheduler"), "class": "KDPM2DiscreteScheduler", "label": "foreign over ours"}
    cases.append(foreign_index | {"name": "pndm", "kind": "text"})

    # Single keys. The first ones are in files whose class reads them, and the requested scheduler does not.
    single = [
        ("DDIMScheduler", {"thresholding": True}, ["euler", None, "ddpm", "dpmpp-2s", "deis", "unipc", "lcm"]),
        ("DDIMScheduler", {"thresholding": True, "dynamic_thresholding_ratio": 0.9, "sample_max_value": 2.5}, ["ddim", "dpmpp-2m"]),
        ("EulerDiscreteScheduler", {"interpolation_type": "log_linear"}, ["ddim", "heun"]),
        ("DPMSolverMultistepScheduler", {"use_lu_lambdas": True}, ["euler", "dpmpp-2m-karras"]),
        ("DDPMScheduler", {"variance_type": None}, [None, "ddpm"]),
        ("DDPMScheduler", {"variance_type": "fixed_large"}, ["dpmpp-2m", "ddpm"]),
        ("EDMEulerScheduler", {"sigma_min": 0.02, "sigma_max": 9.0}, ["euler-karras", "dpmpp-2m-karras", "deis-exponential", "heun-beta"]),
        ("DDIMScheduler", {"clip_sample": 1, "steps_offset": None}, [None, "ddim", "euler-ancestral"]),
        ("PNDMScheduler", {"skip_prk_steps": None, "steps_offset": 3}, [None, "pndm"]),
        ("DDIMScheduler", {"clip_sample": True, "steps_offset": 0, "_use_default_values": ["clip_sample", "steps_offset"]}, [None, "ddim"]),
        ("EulerDiscreteScheduler", {"timestep_type": "warped", "timestep_spacing": "leading", "steps_offset": 0}, [None, "euler"]),
        ("LCMScheduler", {"timestep_scaling": 3.0, "clip_sample": True}, [None, "ddim"]),
    ]  # fmt: skip
    for own, keys, wanted in single:
        for name in wanted:
            for kind in KINDS if own == "PNDMScheduler" else ["text"]:
                cases.append({"file": bare(own, **keys), "name": name, "kind": kind, "label": f"{own} {json.dumps(keys)}"})
    return cases


def write(path: Path, content: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def etas() -> list[dict]:
    """Cases with an eta in the request."""
    file = saved("DDIMScheduler", **BETAS)
    return [{"file": file, "name": name, "kind": kind, "label": "eta", "eta": 0.6} for name in ["ddim", "tcd"] for kind in KINDS]


def pipelines(golden: str, cases: list[dict]) -> None:
    models = Models(CLIPTokenizer.from_pretrained(MODEL / "tokenizer"), torch.float32)
    given, tensors = paint(), {}
    with tempfile.TemporaryDirectory() as root:
        folders = {}
        for number, case in enumerate(cases):
            case.setdefault("index", "StableDiffusionPipeline")
            case.setdefault("pipeline", PLAIN[case["kind"]])
            case.setdefault("class", case["file"].get("_class_name"))
            case.setdefault("steps", 6)
            case.setdefault("unet", {})
            call = {"unet": case["unet"], "scheduler_config": {}, "scheduler": None}
            key = json.dumps(case["unet"])
            if key not in folders:
                folders[key] = Path(root) / str(len(folders))
                models.pipeline("StableDiffusionPipeline", call).save_pretrained(folders[key])
            folder = folders[key]
            write(folder / "scheduler" / "scheduler_config.json", case["file"])
            index = json.loads((folder / "model_index.json").read_text())
            index |= {"_class_name": case["index"], "scheduler": ["diffusers", case["class"]]}
            write(folder / "model_index.json", index)
            pipe = getattr(diffusers, case["pipeline"]).from_pretrained(folder, safety_checker=None)
            pipe.set_progress_bar_config(disable=True)
            if case["name"]:
                pipe.scheduler = make(case["name"], pipe.scheduler.config)
            arguments = {
                "prompt": PROMPT, "num_inference_steps": case["steps"], "guidance_scale": 5.0, "output_type": "latent",
                "generator": torch.Generator("cpu").manual_seed(11),
            }  # fmt: skip
            if "eta" in case:
                arguments["eta"] = case["eta"]
            if case["pipeline"] in PLAIN.values():
                arguments["negative_prompt"] = NEGATIVE
            if case["kind"] == "image":
                arguments |= {"image": given[0].resize((64, 64), Image.LANCZOS), "strength": 0.6}
            else:
                arguments |= {"width": 64, "height": 64}
            if case["kind"] == "inpaint":
                arguments |= {"image": given[0], "mask_image": given[1], "strength": 0.75}
            latents = pipe(**arguments).images
            assert latents.isfinite().all() and latents.shape == (1, 4, 8, 8), case
            tensors[str(number)] = latents.float()
            print(number, case["kind"], case["label"], case["name"], f"{latents.std():.2f}")
    parts = {"text_encoder": models.text_encoder, "vae": models.vae} | {f"unet{key}": unet for key, unet in sorted(models.unets.items())}
    for case in cases:
        # JSON has no infinity; the reader of model folders converts Python's to this text.
        case["file"] = {key: "-Infinity" if value == -math.inf else value for key, value in case["file"].items()}
    # A file shared by several cases is stored once.
    files = {json.dumps(case["file"]): number for number, case in enumerate(cases)}
    for case in cases:
        case["file_of"] = files[json.dumps(case["file"])]
    for number, case in enumerate(cases):
        if case["file_of"] != number:
            del case["file"]
    save("pipelines", golden, tensors, cases=cases, shapes={part: shapes(model) for part, model in parts.items()})


# Values of keys to try on top of Stable Diffusion 1.5's file; only some classes read each key.
VALUES = {
    "num_train_timesteps": [None, 500, 1000.0], "beta_start": [None, 0.001, "x"], "beta_end": [None, 0.02],
    "beta_schedule": [None, "linear", "squaredcos_cap_v2", "sigmoid", "laplace", "exp", "x"], "trained_betas": [[0.01] * 1000],
    "clip_sample": [None, True, 0, 1], "clip_sample_range": [None, 2.0], "set_alpha_to_one": [None, True, 1], "steps_offset": [None, 0, 2],
    "prediction_type": [None, "v_prediction", "sample", "original_sample", "flow_prediction"], "thresholding": [None, True, 1, 0],
    "timestep_spacing": [None, "linspace", "trailing", "leading", "x"], "rescale_betas_zero_snr": [None, True, 1],
    "variance_type": [None, "fixed_small", "fixed_large", "fixed_small_log", "fixed_large_log", "learned", "learned_range", "x"],
    "skip_prk_steps": [None, False, 0], "interpolation_type": [None, "log_linear"], "sigma_min": [None, 0.1], "sigma_max": [None, 9.0],
    "timestep_type": [None, "continuous", "x"], "final_sigmas_type": [None, "sigma_min", "x"], "solver_order": [None, 1, 3, 4],
    "algorithm_type": [None, "dpmsolver", "dpmsolver++", "deis", "sde-dpmsolver", "sde-dpmsolver++", "x"],
    "solver_type": [None, "midpoint", "heun", "bh1", "bh2", "logrho", "x"], "lower_order_final": [None, False, True],
    "euler_at_final": [None, True], "lambda_min_clipped": [None, -5.1], "use_lu_lambdas": [None, True], "use_flow_sigmas": [None, True],
    "use_dynamic_shifting": [None, True], "predict_x0": [None, False], "disable_corrector": [None, [0], [-1]], "solver_p": [None, {}],
    "shift_terminal": [None, 0.1], "original_inference_steps": [None, 40], "timestep_scaling": [None, 3.0], "use_karras_sigmas": [True, 1],
    "flow_shift": [None, 3.0], "time_shift_type": [None], "sample_max_value": [None, 2.0], "dynamic_thresholding_ratio": [None, 0.5],
}  # fmt: skip
# Keys that have an effect only together with others.
COMPANIONS = {
    "clip_sample_range": {"clip_sample": True}, "sample_max_value": {"thresholding": True}, "use_lu_lambdas": {"use_karras_sigmas": True},
    "dynamic_thresholding_ratio": {"thresholding": True, "sample_max_value": 3.0}, "beta_start": {"beta_schedule": "squaredcos_cap_v2"},
    "steps_offset": {"timestep_spacing": "linspace"}, "sigma_min": {"use_karras_sigmas": True}, "sigma_max": {"use_karras_sigmas": True},
    "variance_type": {"prediction_type": "v_prediction"}, "thresholding": {"algorithm_type": "dpmsolver", "final_sigmas_type": "sigma_min"},
    "timestep_type": {"prediction_type": "v_prediction"}, "beta_schedule": {"trained_betas": [0.01] * 1000, "use_karras_sigmas": True},
    "predict_x0": {"final_sigmas_type": "sigma_min", "thresholding": True}, "solver_type": {"final_sigmas_type": "sigma_min"},
}  # fmt: skip


def files() -> None:
    schedulers.SHAPE = (1, 4, 2, 2)
    rows, seen, table = [], {}, []
    for name in CLASSES:
        for key, values in VALUES.items():
            for company in [{}, COMPANIONS[key]] if key in COMPANIONS else [{}]:
                for value in values:
                    row = None
                    try:
                        scheduler = make(name, SD15 | company | {key: value})
                        scheduler.set_timesteps(5)
                        begin(scheduler, 0)
                        latents = walk(scheduler, randn(schedulers.LATENTS_SEED) * scheduler.init_noise_sigma, 0)[0][-1]
                        row = seen.setdefault(latents.numpy().tobytes(), len(rows))
                        rows += [latents] if row == len(rows) else []
                    except Exception as error:  # Any error means that diffusers has no image.
                        print(name, key, json.dumps(value), json.dumps(company), type(error).__name__, str(error)[:60])
                    table.append([name, key, value, company, row])
    # A list of a thousand betas is abbreviated by its count.
    short = json.loads(json.dumps(table).replace(json.dumps([0.01] * 1000), '"1000 x 0.01"'))
    save("schedulers", "files", {"latents": torch.stack(rows)}, table=short, file=SD15)


def main() -> None:
    goldens = {"pipelines": lambda: pipelines("schedulers", grid()), "eta": lambda: pipelines("eta", etas()), "files": files}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=goldens, help="generate one golden")
    only = parser.parse_args().only
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    diffusers.logging.set_verbosity_error()
    for name, golden in goldens.items():
        if only in (None, name):
            golden()


if __name__ == "__main__":
    main()
