package control

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"

	"weir/internal/cli"
)

// ErrServed means that another process already serves this installation.
var ErrServed = errors.New("another process serves this home already")

// ErrNotServed means that no process answers on the socket.
var ErrNotServed = errors.New("nothing runs here")

// An Error is a refusal as it travels over the socket: one line for the user, and what they can do.
type Error struct {
	Message string `json:"error"`
	Hint    string `json:"hint,omitempty"`
}

func (e *Error) Error() string { return e.Message }

// hintOf finds the hint that an error of ours carries.
func hintOf(err error) string {
	if e, ok := errors.AsType[*cli.Error](err); ok {
		return e.Hint
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Hint
	}
	return ""
}

func offered(verbs map[string]Verb) string {
	if len(verbs) == 0 {
		return "this program offers no verbs"
	}
	return "offered: " + strings.Join(slices.Sorted(maps.Keys(verbs)), ", ")
}

// decodeError makes an error of a refused request's body.
func decodeError(status string, body []byte) error {
	var e Error
	if json.Unmarshal(body, &e) == nil && e.Message != "" {
		return &e
	}
	return &Error{Message: "control: " + status}
}
