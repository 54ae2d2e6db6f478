//! Which characters draw nothing, and which may need one that does: tables of Unicode's published properties. It
//! decides about characters alone; what stands around them is the business of `hostile`.

/// Ranges in order, both ends among them.
type Ranges = [(char, char)];

/// Whether `c` draws nothing, or is a control other than a tab and a line end.
pub(crate) fn hidden(c: char) -> bool {
    match c {
        '\n' | '\r' | '\t' => false,
        // C0, DEL and C1, with NEL (U+0085) among them.
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' => true,
        ' '..='\u{ac}' => false,
        _ => among(&NOTHING, c),
    }
}

/// Whether `c` is a picture, that is, can be part of an emoji which is more than one character.
pub(crate) fn picture(c: char) -> bool {
    among(&PICTURES, c)
}

/// Whether `c` is an ideograph, which variants of its shape may be chosen of.
pub(crate) const fn ideograph(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{20000}'..='\u{323af}')
}

fn among(ranges: &Ranges, c: char) -> bool {
    let place = ranges.partition_point(|(_, last)| *last < c);
    ranges.get(place).is_some_and(|(first, _)| *first <= c)
}

/// Unicode 16.0: `Default_Ignorable_Code_Point` (DerivedCoreProperties.txt), general category `Cf`, `Zl` and `Zp`
/// (DerivedGeneralCategory.txt), and what is none of these and draws nothing: U+2800, U+13440 to U+1345F, U+16FE4,
/// U+1D159. Of `Cf` the signs that stand before or around numbers and words are not here, for they are seen:
/// U+0600 to U+0605, U+06DD, U+070F, U+0890, U+0891, U+08E2, U+110BD, U+110CD.
const NOTHING: [(char, char); 21] = [
    // Soft hyphen.
    ('\u{ad}', '\u{ad}'),
    // Grapheme joiner.
    ('\u{34f}', '\u{34f}'),
    // Arabic letter mark.
    ('\u{61c}', '\u{61c}'),
    // Hangul fillers: letters that draw nothing.
    ('\u{115f}', '\u{1160}'),
    // Khmer inherent vowels.
    ('\u{17b4}', '\u{17b5}'),
    // Mongolian variation selectors and vowel separator.
    ('\u{180b}', '\u{180f}'),
    // Zero-width characters and directional marks.
    ('\u{200b}', '\u{200f}'),
    // Line and paragraph separators, embeddings and overrides.
    ('\u{2028}', '\u{202e}'),
    // Word joiner, invisible operators, isolates, deprecated format characters.
    ('\u{2060}', '\u{206f}'),
    // A braille cell without dots.
    ('\u{2800}', '\u{2800}'),
    // Another Hangul filler.
    ('\u{3164}', '\u{3164}'),
    // Variation selectors, of which `strip` keeps some.
    ('\u{fe00}', '\u{fe0f}'),
    // Byte order mark.
    ('\u{feff}', '\u{feff}'),
    // The halfwidth Hangul filler.
    ('\u{ffa0}', '\u{ffa0}'),
    // Unassigned and to be ignored, interlinear annotation.
    ('\u{fff0}', '\u{fffb}'),
    // Joiners, enclosures, blanks and modifiers of Egyptian hieroglyphs.
    ('\u{13430}', '\u{1345f}'),
    // The filler of the Khitan small script.
    ('\u{16fe4}', '\u{16fe4}'),
    // Controls of shorthand.
    ('\u{1bca0}', '\u{1bca3}'),
    // A note head that draws nothing.
    ('\u{1d159}', '\u{1d159}'),
    // Beams, ties, slurs and phrases of music.
    ('\u{1d173}', '\u{1d17a}'),
    // Tags and more variation selectors: text that no one sees and every model reads.
    ('\u{e0000}', '\u{e0fff}'),
];

/// Unicode 16.0: `Extended_Pictographic` (emoji-data.txt).
const PICTURES: [(char, char); 78] = [
    ('\u{a9}', '\u{a9}'),
    ('\u{ae}', '\u{ae}'),
    ('\u{203c}', '\u{203c}'),
    ('\u{2049}', '\u{2049}'),
    ('\u{2122}', '\u{2122}'),
    ('\u{2139}', '\u{2139}'),
    ('\u{2194}', '\u{2199}'),
    ('\u{21a9}', '\u{21aa}'),
    ('\u{231a}', '\u{231b}'),
    ('\u{2328}', '\u{2328}'),
    ('\u{2388}', '\u{2388}'),
    ('\u{23cf}', '\u{23cf}'),
    ('\u{23e9}', '\u{23f3}'),
    ('\u{23f8}', '\u{23fa}'),
    ('\u{24c2}', '\u{24c2}'),
    ('\u{25aa}', '\u{25ab}'),
    ('\u{25b6}', '\u{25b6}'),
    ('\u{25c0}', '\u{25c0}'),
    ('\u{25fb}', '\u{25fe}'),
    ('\u{2600}', '\u{2605}'),
    ('\u{2607}', '\u{2612}'),
    ('\u{2614}', '\u{2685}'),
    ('\u{2690}', '\u{2705}'),
    ('\u{2708}', '\u{2712}'),
    ('\u{2714}', '\u{2714}'),
    ('\u{2716}', '\u{2716}'),
    ('\u{271d}', '\u{271d}'),
    ('\u{2721}', '\u{2721}'),
    ('\u{2728}', '\u{2728}'),
    ('\u{2733}', '\u{2734}'),
    ('\u{2744}', '\u{2744}'),
    ('\u{2747}', '\u{2747}'),
    ('\u{274c}', '\u{274c}'),
    ('\u{274e}', '\u{274e}'),
    ('\u{2753}', '\u{2755}'),
    ('\u{2757}', '\u{2757}'),
    ('\u{2763}', '\u{2767}'),
    ('\u{2795}', '\u{2797}'),
    ('\u{27a1}', '\u{27a1}'),
    ('\u{27b0}', '\u{27b0}'),
    ('\u{27bf}', '\u{27bf}'),
    ('\u{2934}', '\u{2935}'),
    ('\u{2b05}', '\u{2b07}'),
    ('\u{2b1b}', '\u{2b1c}'),
    ('\u{2b50}', '\u{2b50}'),
    ('\u{2b55}', '\u{2b55}'),
    ('\u{3030}', '\u{3030}'),
    ('\u{303d}', '\u{303d}'),
    ('\u{3297}', '\u{3297}'),
    ('\u{3299}', '\u{3299}'),
    ('\u{1f000}', '\u{1f0ff}'),
    ('\u{1f10d}', '\u{1f10f}'),
    ('\u{1f12f}', '\u{1f12f}'),
    ('\u{1f16c}', '\u{1f171}'),
    ('\u{1f17e}', '\u{1f17f}'),
    ('\u{1f18e}', '\u{1f18e}'),
    ('\u{1f191}', '\u{1f19a}'),
    ('\u{1f1ad}', '\u{1f1e5}'),
    ('\u{1f201}', '\u{1f20f}'),
    ('\u{1f21a}', '\u{1f21a}'),
    ('\u{1f22f}', '\u{1f22f}'),
    ('\u{1f232}', '\u{1f23a}'),
    ('\u{1f23c}', '\u{1f23f}'),
    ('\u{1f249}', '\u{1f3fa}'),
    ('\u{1f400}', '\u{1f53d}'),
    ('\u{1f546}', '\u{1f64f}'),
    ('\u{1f680}', '\u{1f6ff}'),
    ('\u{1f774}', '\u{1f77f}'),
    ('\u{1f7d5}', '\u{1f7ff}'),
    ('\u{1f80c}', '\u{1f80f}'),
    ('\u{1f848}', '\u{1f84f}'),
    ('\u{1f85a}', '\u{1f85f}'),
    ('\u{1f888}', '\u{1f88f}'),
    ('\u{1f8ae}', '\u{1f8ff}'),
    ('\u{1f90c}', '\u{1f93a}'),
    ('\u{1f93c}', '\u{1f945}'),
    ('\u{1f947}', '\u{1faff}'),
    ('\u{1fc00}', '\u{1fffd}'),
];
