package duckdb

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"syscall"

	"weir/internal/engine"
)

// complaint is an error as DuckDB writes it with errors_as_json.
type complaint struct {
	Type       string `json:"exception_type"`
	Message    string `json:"exception_message"`
	Position   string `json:"position"` // bytes from the start of the statement
	Candidates string `json:"candidates"`
}

// explain makes one line of what DuckDB says. query stood at byte `at` of the statement; a place outside of it is ours and
// is not told.
func explain(ctx context.Context, err error, query string, at int) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil { // DuckDB says that it was interrupted; why is what the caller knows
		if cause := context.Cause(ctx); !errors.Is(cause, ctx.Err()) {
			return fmt.Errorf("%w: %w", ctx.Err(), cause)
		}
		return ctx.Err()
	}
	text, c := err.Error(), complaint{}
	start := strings.IndexByte(text, '{')
	if start < 0 || json.Unmarshal([]byte(text[start:]), &c) != nil {
		return fmt.Errorf("duckdb: %s", oneLine(text))
	}
	message, rest, _ := strings.Cut(strings.TrimSpace(c.Message), "\n")
	message = strings.TrimSpace(message)
	switch c.Type {
	case "Out of Memory":
		return fmt.Errorf("%w: %s", engine.ErrMemory, message)
	case "IO":
		if strings.Contains(strings.ToLower(text), "no space left") {
			return fmt.Errorf("duckdb: %s: %w", message, syscall.ENOSPC)
		}
		return fmt.Errorf("duckdb: %s", message)
	case "INTERNAL", "FATAL", "Internal", "Fatal":
		return fmt.Errorf("duckdb: internal error: %s", message)
	}
	s := &engine.SQLError{Message: message, Hint: hint(rest, c)}
	switch c.Type {
	case "Conversion", "Out of Range", "Invalid Input", "Constraint", "Sequence", "Divide by Zero":
		s.Data = true
	case "Permission":
		s.Hint = "a query sees the tables of the catalog and no other files"
	}
	if p, err := strconv.Atoi(c.Position); err == nil && p-at < len(query) {
		_ = s.At(query, p-at)
	}
	return s
}

// hint is what DuckDB says beside the complaint itself, in one line; of many candidate functions the first few.
func hint(rest string, c complaint) string {
	if all := strings.Split(c.Candidates, ","); strings.Contains(c.Candidates, "->") {
		if len(all) > 3 {
			all = append(all[:3], "…")
		}
		return "candidates: " + strings.Join(all, ", ")
	}
	return oneLine(rest)
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
