//! What the relay follows of the output: cuts change nothing, and a line of ours that is drawn where it says so
//! stands on the screen of a real terminal emulator, whatever came before.
#![no_main]

use bg_relay::screen::ScreenState;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut whole = ScreenState::default();
    let mut cut = ScreenState::default();
    whole.feed(bytes);
    for (at, byte) in bytes.iter().enumerate() {
        cut.feed(&[*byte]);
        if at % 3 == 0 {
            cut.feed(&[]);
        }
    }
    assert_eq!((whole.between(), whole.full_screen()), (cut.between(), cut.full_screen()));
    // An emulator works on text; what is none it never saw. Emulators disagree on C1 controls in UTF-8: most ignore them.
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if text.contains(|c: char| ('\u{80}'..='\u{9f}').contains(&c)) {
        return;
    }
    if whole.between() && !whole.full_screen() {
        // CAN ends whatever sequence is open, and does nothing when none is.
        assert_eq!(shown(text, "\r\n"), shown(text, "\u{18}\r\n"), "a sequence was open");
    }
});

fn shown(text: &str, then: &str) -> (Vec<String>, String) {
    let mut terminal = avt::Terminal::new(80, 24).expect("a size");
    terminal.feed(text);
    terminal.feed(then);
    let lines = terminal.screen().visible_lines().map(avt::Line::text).collect();
    (lines, format!("{:?}", terminal.cursor_position()))
}
