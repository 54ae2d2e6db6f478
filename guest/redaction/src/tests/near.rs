//! Values without a mark of their own: by their keyword, and not where they stand apart from it or do not fit.

use super::{Dice, fitting, last_run, mask, nears, untouched};
use crate::name;

#[test]
fn masks_what_stands_near_its_keyword() {
    let mut dice = Dice(5);
    for (anchor, near) in nears() {
        for (before, after) in
            [("=", ""), (": \"", "\","), (" is `", "`"), ("\\\":\\\"", "\\\""), ("%3D", "&x=1")]
        {
            let value = fitting(&mut dice, near.steps, near.needs, |least| least);
            let masked = mask(&format!("{}{before}{value}{after}", anchor.literal));
            let expected = format!("{}{before}[redacted:{}]{after}", anchor.literal, name(anchor.rule));
            assert_eq!(masked, expected);
        }
    }
}

#[test]
fn leaves_what_stands_too_far_from_its_keyword_or_on_another_line() {
    let mut dice = Dice(6);
    for (anchor, near) in nears() {
        let value = fitting(&mut dice, near.steps, near.needs, |least| least);
        untouched(&format!("{}{}{value}", anchor.literal, " ".repeat(near.window + 1)));
        untouched(&format!("{}\n= {value}", anchor.literal));
        untouched(&format!("{}\\n= {value}", anchor.literal));
        untouched(&format!("see {value}"));
        for word in near.unless {
            untouched(&format!("{} {word} {value}", anchor.literal));
        }
    }
}

#[test]
fn leaves_what_stands_near_a_keyword_and_does_not_fit() {
    let mut dice = Dice(11);
    for (anchor, near) in nears() {
        let tag = format!("[redacted:{}]", name(anchor.rule));
        let (_, min, max, behind) = last_run(near.steps).expect("a run");
        let short = fitting(&mut dice, near.steps, &[], |least| least - 1);
        let mut wrong = fitting(&mut dice, near.steps, near.needs, |least| least);
        let place = wrong.len() - behind - min.div_ceil(2);
        wrong.replace_range(place..=place, "|");
        let mut all = vec![short, wrong];
        if max < 1000 {
            all.push(fitting(&mut dice, near.steps, near.needs, |_| max + 1));
        }
        for value in all {
            let masked = mask(&format!("{}={value}", anchor.literal));
            assert!(!masked.contains(&tag), "{masked} from {}={value}", anchor.literal);
        }
    }
}
