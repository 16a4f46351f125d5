package style

// Symbols go with a word, never alone. None of them is as wide as an emoji: tables must stay aligned in every terminal.
type Symbols struct {
	Good, Bad, Warn, Late, Run, Pause, Todo, Wait string
	Up, Down, Flat, Arrow, Enter, Space, Cursor   string
	Dot, Ellipsis, AtMost, More                   string
	Unsaved, Open, Folded                         string
	// Box: corners top left, top right, bottom left, bottom right; horizontal, vertical.
	TL, TR, BL, BR, H, V string
	// Axis of a chart: the tick at a label, the corner, the tick below.
	Tick, Corner, Foot string
	Target, Ahead      string   // the planned curve, and the part of it that lies ahead
	Full, Empty        string   // of a bar
	Mark               string   // a moment, under a chart
	A, B               string   // runs of the two builds of a comparison
	Shades             []string // of a heat map, from the weakest
}

var unicodeSymbols = Symbols{
	Good: "✔", Bad: "✖", Warn: "!", Late: "◷", Run: "▶", Pause: "‖", Todo: "◌", Wait: "◌",
	Up: "↑", Down: "↓", Flat: "→", Arrow: "→", Enter: "⏎", Space: "␣", Cursor: "▸",
	Dot: "·", Ellipsis: "…", AtMost: "≤", More: "↓", Unsaved: "●", Open: "▾", Folded: "▸",
	TL: "┌", TR: "┐", BL: "└", BR: "┘", H: "─", V: "│",
	Tick: "┤", Corner: "└", Foot: "┬", Target: "─", Ahead: "┄", Full: "█", Empty: "░",
	Mark: "▲", A: "●", B: "○", Shades: []string{"░", "▒", "▓", "█"},
}

var asciiSymbols = Symbols{
	Good: "+", Bad: "x", Warn: "!", Late: "@", Run: ">", Pause: "=", Todo: "o", Wait: "o",
	Up: "^", Down: "v", Flat: "-", Arrow: "->", Enter: "enter", Space: "space", Cursor: ">",
	Dot: "-", Ellipsis: "~", AtMost: "<=", More: "v", Unsaved: "*", Open: "-", Folded: "+",
	TL: "+", TR: "+", BL: "+", BR: "+", H: "-", V: "|",
	Tick: "+", Corner: "+", Foot: "+", Target: "-", Ahead: ".", Full: "#", Empty: ".",
	Mark: "^", A: "A", B: "B", Shades: []string{".", ":", "*", "#"},
}
