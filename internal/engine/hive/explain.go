package hive

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"syscall"

	"weir/internal/cli"
	"weir/internal/engine"
)

var (
	// [UNRESOLVED_COLUMN.WITH_SUGGESTION] A column … cannot be resolved. … line 2 pos 6
	class    = regexp.MustCompile(`\[([A-Z][A-Z0-9_]*(?:\.[A-Z][A-Z0-9_]*)*)\]\s*`)
	position = regexp.MustCompile(`[;(]?\s*\(?line (\d+),? pos (\d+)\)?`)
	state    = regexp.MustCompile(`\s*SQLSTATE: \w+`)
	suggest  = regexp.MustCompile(`\s*Did you mean one of the following\? \[([^\]]*)\]\.?`)
	java     = regexp.MustCompile(`^(?:[a-z]\w*\.)+\w+(?:Exception|Error)(?:\$\w+)?:\s*|^Error (?:running|while compiling|operating) [^:]*:\s*`)
)

// data are the classes of errors that a query meets in data, not in itself.
var data = []string{"DIVIDE_BY_ZERO", "CAST_INVALID_INPUT", "CAST_OVERFLOW", "ARITHMETIC_OVERFLOW", "BINARY_ARITHMETIC_OVERFLOW", "NUMERIC_VALUE_OUT_OF_RANGE",
	"INVALID_ARRAY_INDEX", "CANNOT_PARSE_TIMESTAMP", "CANNOT_PARSE_DECIMAL", "SCALAR_SUBQUERY_TOO_MANY_ROWS", "DATETIME_OVERFLOW", "INTERVAL_ARITHMETIC_OVERFLOW", "USER_RAISED_EXCEPTION"}

// explain makes one line of what a server says of a statement: before, the query and what follows it. What it says besides, a
// plan or a Java stack, is for its own log.
func explain(message string, before string, r rendered) error {
	statement := before + r.text
	lineCol := position.FindStringSubmatch(message)
	s := &engine.SQLError{}
	name := ""
	if m := class.FindStringSubmatchIndex(message); m != nil {
		name = message[m[2]:m[3]]
		message = message[m[1]:]
		if m := suggest.FindStringSubmatch(message); m != nil {
			s.Hint = "candidates: " + strings.ReplaceAll(m[1], "`", "")
			message = strings.Replace(message, m[0], "", 1)
		}
	}
	if at := position.FindStringIndex(message); at != nil {
		message = message[:at[0]]
	}
	s.Message = firstLine(state.ReplaceAllString(message, ""))
	if m := class.FindStringIndex(s.Message); m != nil && m[0] == 0 { // the server repeats it behind the name of the exception
		s.Message = s.Message[m[1]:]
	}
	if name == "" {
		return fmt.Errorf("hive: %s", s.Message)
	}
	s.Message = "[" + name + "] " + s.Message
	for _, d := range data {
		s.Data = s.Data || name == d || strings.HasPrefix(name, d+".")
	}
	if lineCol != nil {
		line, _ := strconv.Atoi(lineCol[1])
		col, _ := strconv.Atoi(lineCol[2])
		if at := r.place(offset(statement, line, col) - len(before)); at >= 0 {
			_ = s.At(r.query, at)
		}
	}
	return s
}

// offset is the byte at a line, from 1, and a column in characters, from 0; -1 if there is none.
func offset(s string, line, col int) int {
	at := 0
	for ; line > 1; line-- {
		n := strings.IndexByte(s[at:], '\n')
		if n < 0 {
			return -1
		}
		at += n + 1
	}
	for i := range s[at:] {
		if col == 0 {
			return at + i
		}
		col--
	}
	return at + len(s[at:])
}

// firstLine drops the names of Java classes in front and what stands on further lines.
func firstLine(s string) string {
	s = strings.TrimLeft(s, "* ")
	for {
		t := java.ReplaceAllString(s, "")
		if t == s {
			break
		}
		s = t
	}
	s, _, _ = strings.Cut(strings.TrimSpace(s), "\n")
	return strings.TrimRight(strings.Join(strings.Fields(s), " "), ";. ")
}

// unreachable says what to do where no session came about.
func (e *Engine) unreachable(err error) error {
	where := "hive " + e.o.Address
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return &cli.Error{Err: fmt.Errorf("%s: %w: nothing listens there", where, engine.ErrLost), Hint: "start the server, or mend `hive: {address: host:port}` in weir.yaml"}
	case errors.Is(err, io.EOF), strings.HasSuffix(err.Error(), "EOF"), errors.Is(err, errSilent), errors.Is(err, syscall.ECONNRESET), strings.Contains(err.Error(), "SASL"):
		return &cli.Error{
			Err:  fmt.Errorf("%s: the server ended the talk at its beginning (EOF); it was greeted with auth %s", where, e.o.Auth),
			Hint: fmt.Sprintf("auth is as the server's hive.server2.authentication says: %s (SASL PLAIN) or %s", Plain, NoSASL),
		}
	}
	return fmt.Errorf("%s: %w: %s", where, engine.ErrLost, firstLine(err.Error()))
}
