//! Readers of fields that several bodies share and that are more than one value: a seed, a scheduler.
//!
//! It must not know any particular request.

use diffusion_core::schedulers::SchedulerName;
use generation::FieldErrorKind;
use uuid::Uuid;

use crate::inputs::fields::{Fields, string};

/// A random seed of 32 bits, all that torch's generator uses of a seed.
pub(crate) fn random_seed() -> u32 {
    // The low bits of a version 4 UUID are random.
    (Uuid::new_v4().as_u128() & u128::from(u32::MAX)) as u32
}

/// The scheduler: by its own name in `scheduler` or `sampler`, or by a sampler's and a schedule's name, as AUTOMATIC1111 (`sampler_name`,
/// `scheduler`) and ComfyUI send them. If only `scheduler` is given, the validation checks it.
pub(crate) fn scheduler(fields: &mut Fields<'_>) -> Option<String> {
    let (sampler, scheduler) = (fields.read("sampler", string), fields.read("scheduler", string));
    let (Some(sampler), scheduler) = (sampler, scheduler.as_deref()) else { return scheduler };
    let named: Result<SchedulerName, diffusion_core::Error> = match scheduler {
        None => sampler.parse(),
        Some(schedule) if SchedulerName::is_schedule(schedule) => SchedulerName::of_sampler(&sampler, schedule),
        Some(scheduler) => match (sampler.parse(), scheduler.parse::<SchedulerName>()) {
            (Ok(sampler), Ok(scheduler)) if sampler != scheduler => {
                let error = format!("the sampler is {sampler} and the scheduler {scheduler}: give one of them");
                fields.rule_fault("sampler", FieldErrorKind::Value { error });
                return None;
            }
            (sampler, Ok(_)) => sampler,
            (_, Err(error)) => {
                fields.rule_fault("scheduler", FieldErrorKind::Value { error: reason(error) });
                return None;
            }
        },
    };
    match named {
        Ok(name) => Some(name.to_string()),
        Err(error) => {
            fields.rule_fault("sampler", FieldErrorKind::Value { error: reason(error) });
            None
        }
    }
}

/// The sentence without the field, which the fault already names.
fn reason(error: diffusion_core::Error) -> String {
    if let diffusion_core::Error::Params { reason, .. } = error { reason } else { error.to_string() }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_sampler_a_scheduler_or_both_name_a_scheduler() {
        let of = |json: Value| {
            let json = json.as_object().unwrap().clone();
            let mut fields = Fields::new(&json);
            let name = scheduler(&mut fields);
            (name, fields.faults.iter().map(|fault| format!("{}: {}", fault.loc[1], fault.msg)).collect::<Vec<_>>().join("; "))
        };
        for (json, name) in [
            (json!({}), None),
            (json!({"sampler": "DPM++ 2M Karras"}), Some("dpmpp-2m-karras")),
            (json!({"sampler": "DPM++ 2M", "scheduler": "Karras"}), Some("dpmpp-2m-karras")),
            (json!({"sampler": "Euler a", "scheduler": "Automatic"}), Some("euler-ancestral")),
            (json!({"sampler": "Euler a", "scheduler": "euler-ancestral"}), Some("euler-ancestral")),
            // The validation checks it.
            (json!({"scheduler": "best"}), Some("best")),
        ] {
            assert_eq!(of(json.clone()), (name.map(str::to_owned), String::new()), "{json}");
        }
        for (json, message) in [
            (json!({"sampler": "DPM++ 2S a"}), "\"sampler\": Value error, unknown scheduler \"DPM++ 2S a\"; the nearest is \"dpmpp-2s\""),
            (json!({"sampler": "euler", "scheduler": "ddim"}), "the sampler is euler and the scheduler ddim"),
            (json!({"sampler": "euler", "scheduler": "best"}), "\"scheduler\": Value error, unknown scheduler \"best\""),
            (json!({"sampler": "euler", "scheduler": "sgm_uniform"}), "\"sgm_uniform\" is not implemented"),
            (json!({"sampler": 5}), "\"sampler\": Input should be a valid string"),
        ] {
            let (name, faults) = of(json.clone());
            assert!(name.is_none() && faults.contains(message), "{json}: {name:?} {faults}");
        }
    }
}
