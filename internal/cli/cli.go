// Package cli is what a program of weir has of its process: streams, flags that all verbs share, signals and exit codes.
package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit codes that every program keeps to; loadgen's verdicts have further ones of their own.
const (
	ExitOK          = 0
	ExitFailed      = 1
	ExitUsage       = 2
	ExitInterrupted = 130
)

// An Error carries what the user can do next and the exit code.
type Error struct {
	Err  error
	Hint string // what the user can do now; empty if nothing
	Exit int    // 0 counts as 1
}

func (e *Error) Error() string { return e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// Usage marks an error as wrong usage or configuration: exit code 2.
func Usage(err error, hint string) error { return &Error{Err: err, Hint: hint, Exit: ExitUsage} }

// Env is all that a program may touch of its process; tests pass buffers.
type Env struct {
	Args           []string // without the program's name
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Getenv         func(string) string
}

// App is what the verbs of one program share.
type App struct {
	Env
	Name  string
	Home  string // directory of the installation
	JSON  bool   // the last line of stdout is one JSON object
	Plain bool   // no colour, no animation, no terminal UI
	Log   *slog.Logger
}

// Result prints a verb's result: with --json v as one line, else plain.
func (a *App) Result(v any, plain string) error {
	if a.JSON {
		b, err := json.Marshal(v)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(a.Stdout, "%s\n", b)
		return err
	}
	_, err := io.WriteString(a.Stdout, plain)
	return err
}

// Main runs a program on the real process and returns its exit code.
func Main(name string, build func(*App) *cobra.Command) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // the second signal kills
	return Run(ctx, name, Env{Args: os.Args[1:], Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv}, build)
}

// Run runs a program and returns its exit code.
func Run(ctx context.Context, name string, env Env, build func(*App) *cobra.Command) int {
	app := &App{Env: env, Name: name, Log: slog.New(slog.NewTextHandler(env.Stderr, nil))}
	root := build(app)
	root.SetArgs(env.Args)
	root.SetIn(env.Stdin)
	root.SetOut(env.Stdout)
	root.SetErr(env.Stderr)
	root.SilenceErrors, root.SilenceUsage = true, true
	home := env.Getenv("WEIR_HOME")
	if home == "" {
		home = ".weir"
	}
	f := root.PersistentFlags()
	f.StringVar(&app.Home, "home", home, "directory of the installation")
	f.BoolVar(&app.JSON, "json", false, "the last line of stdout is one JSON object")
	f.BoolVar(&app.Plain, "plain", false, "plain lines: no colour, no animation")
	err := root.ExecuteContext(ctx)
	if err == nil {
		return ExitOK
	}
	var e *Error
	if errors.As(err, &e) {
		fmt.Fprintf(env.Stderr, "%s: error: %v\n", name, err)
		if e.Hint != "" {
			fmt.Fprintf(env.Stderr, "%s: hint: %s\n", name, e.Hint)
		}
		if e.Exit != 0 {
			return e.Exit
		}
		return ExitFailed
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return ExitInterrupted
	}
	fmt.Fprintf(env.Stderr, "%s: error: %v\n", name, err)
	return ExitFailed
}
