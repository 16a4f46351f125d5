package engine

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// A SQLError is what an engine has against a query, with its place in it.
type SQLError struct {
	Line, Col int    // from 1, in characters; 0 if the engine gave none
	Message   string // one line
	Hint      string // candidates, if the engine named some
	// Data says that the query is right as it stands, but not for these data: a value that cannot be converted, a sum that
	// does not fit.
	Data bool
}

func (e *SQLError) Error() string {
	s := e.Message
	if e.Hint != "" {
		s += " (" + e.Hint + ")"
	}
	if e.Line > 0 {
		return fmt.Sprintf("%d:%d: %s", e.Line, e.Col, s)
	}
	return s
}

// ExitCode: wrong SQL is wrong configuration, data that it fails on are a failed run.
func (e *SQLError) ExitCode() int {
	if e.Data {
		return 1
	}
	return 2
}

// At puts the place of a byte of the query into the error, if there is such a byte.
func (e *SQLError) At(query string, offset int) *SQLError {
	if offset < 0 || offset > len(query) {
		return e
	}
	before := query[:offset]
	e.Line = strings.Count(before, "\n") + 1
	e.Col = utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1
	return e
}
