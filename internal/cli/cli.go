// Package cli is what a program of weir has of its process: streams, flags that all verbs share, signals and exit codes.
package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"regexp"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/mattn/go-isatty"
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

	said bool // a result was printed
}

// Result prints a verb's result: with --json v as one line, else plain.
func (a *App) Result(v any, plain string) error {
	a.said = true
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

// Main runs a program on the real process and returns its exit code. The first SIGINT or SIGTERM cancels the context of the
// verb, which finishes what it is at; the second ends the process at once.
func Main(name string, build func(*App) *cobra.Command) int {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		cancel(ErrInterrupted)
		<-signals
		os.Exit(ExitInterrupted)
	}()
	return Run(ctx, name, Env{Args: os.Args[1:], Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv}, build)
}

// ErrInterrupted is the cause of a context that a signal cancelled.
var ErrInterrupted = errors.New("interrupted")

// Run runs a program and returns its exit code.
func Run(ctx context.Context, name string, env Env, build func(*App) *cobra.Command) (code int) {
	app := &App{Env: env, Name: name}
	defer func() {
		if p := recover(); p != nil {
			code = app.report(ctx, &Error{
				Err:  fmt.Errorf("this is a mistake in %s, not yours: %v", name, p),
				Hint: "please report it with " + panicFile(name, p, debug.Stack()),
			})
		}
	}()
	root := build(app)
	root.SetArgs(env.Args)
	root.SetIn(env.Stdin)
	root.SetOut(env.Stdout)
	root.SetErr(env.Stderr)
	root.SilenceErrors, root.SilenceUsage = true, true
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return Usage(errors.New(flagWords(err)), fmt.Sprintf("`%s --help` lists the flags", c.CommandPath()))
	})
	home := env.Getenv("WEIR_HOME")
	if home == "" {
		home = ".weir"
	}
	var level string
	f := root.PersistentFlags()
	f.StringVar(&app.Home, "home", home, "directory of the installation (or WEIR_HOME)")
	f.BoolVar(&app.JSON, "json", false, "the last line of stdout is one JSON object")
	f.BoolVar(&app.Plain, "plain", false, "plain lines: no colour, no animation, no terminal UI")
	f.StringVar(&level, "log-level", "warn", "debug, info, warn or error")
	root.PersistentPreRunE = func(*cobra.Command, []string) error {
		var err error
		app.Log, err = logger(env.Stderr, level)
		return err
	}
	started := false
	wrap(root, &started)
	said, err := root.ExecuteContextC(ctx)
	if err != nil && !started { // cobra's own complaints: unknown verb, wrong number of arguments
		var e *Error
		if !errors.As(err, &e) {
			hint := fmt.Sprintf("`%s --help` lists the verbs", name)
			if said.HasParent() {
				hint = fmt.Sprintf("`%s --help` says more", said.CommandPath())
			}
			err = Usage(err, hint)
		}
	}
	return app.report(ctx, err)
}

// wrap notes whether a verb was reached: what fails before is wrong usage.
func wrap(c *cobra.Command, started *bool) {
	if run := c.RunE; run != nil {
		c.RunE = func(c *cobra.Command, args []string) error {
			*started = true
			return run(c, args)
		}
	}
	if check := c.Args; check != nil && c.RunE != nil {
		c.Args = func(c *cobra.Command, args []string) error {
			err := check(c, args)
			if err == nil {
				return nil
			}
			if !c.HasParent() && len(args) > 0 {
				return fmt.Errorf("unknown command %q for %q", args[0], c.Name())
			}
			_, want, _ := strings.Cut(c.Use, " ")
			got := "nothing"
			if len(args) > 0 {
				got = fmt.Sprintf("%d: %s", len(args), strings.Join(args, " "))
			}
			return fmt.Errorf("%s: expected %s, got %s", c.CommandPath(), cmp.Or(want, "no arguments"), got)
		}
	}
	for _, sub := range c.Commands() {
		wrap(sub, started)
	}
}

var (
	flagForm  = regexp.MustCompile(`^invalid argument "(.*)" for "(?:-\w, )?(--[\w-]+)" flag: `)
	flagKinds = map[string]string{"ParseInt": "a whole number", "ParseUint": "a whole number, not below 0", "ParseFloat": "a number", "ParseBool": "true or false"}
)

// flagWords says what a flag expected, in place of the function that could not read it.
func flagWords(err error) string {
	text := err.Error()
	m := flagForm.FindStringSubmatch(text)
	if m == nil {
		return text
	}
	for f, want := range flagKinds {
		if strings.Contains(text[len(m[0]):], "strconv."+f) {
			return fmt.Sprintf("%s: expected %s, got %q", m[2], want, m[1])
		}
	}
	if strings.HasPrefix(text[len(m[0]):], "time: ") {
		return fmt.Sprintf("%s: expected a duration such as 90s or 2h, got %q", m[2], m[1])
	}
	return fmt.Sprintf("%s: %s", m[2], text[len(m[0]):])
}

func logger(w io.Writer, level string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, Usage(fmt.Errorf("--log-level: expected debug, info, warn or error, got %q", level), "")
	}
	o := &slog.HandlerOptions{Level: l}
	if f, ok := w.(*os.File); ok && !isatty.IsTerminal(f.Fd()) {
		return slog.New(slog.NewJSONHandler(w, o)), nil
	}
	return slog.New(slog.NewTextHandler(w, o)), nil
}

// report prints an error as its user needs it and gives the exit code.
func (a *App) report(ctx context.Context, err error) int {
	if err == nil {
		return ExitOK
	}
	hint, code := "", ExitFailed
	var e *Error
	var coded interface{ ExitCode() int }
	switch {
	case errors.As(err, &e):
		hint = e.Hint
		if e.Exit != 0 {
			code = e.Exit
		}
	case errors.As(err, &coded):
		code = coded.ExitCode()
	case errors.Is(err, context.Canceled) && ctx.Err() != nil, errors.Is(err, ErrInterrupted):
		code = ExitInterrupted
	}
	if h := systemHint(err); hint == "" {
		hint = h
	}
	for _, line := range strings.Split(err.Error(), "\n") {
		fmt.Fprintf(a.Stderr, "%s: error: %s\n", a.Name, line)
	}
	if hint != "" {
		fmt.Fprintf(a.Stderr, "%s: hint: %s\n", a.Name, hint)
	}
	if a.JSON && !a.said {
		_ = a.Result(map[string]any{"error": err.Error(), "hint": hint, "exit": code}, "")
	}
	return code
}

// systemHint says what to do about the errors of the disk.
func systemHint(err error) string {
	switch text := err.Error(); {
	case errors.Is(err, syscall.ENOSPC) || strings.Contains(text, "no space left on device") || strings.Contains(text, "database or disk is full"):
		return "the disk is full: make room and start again; nothing that was committed is lost"
	case errors.Is(err, syscall.EROFS) || strings.Contains(text, "read-only file system"):
		return "the file system is read-only: choose another --home"
	case errors.Is(err, syscall.EACCES) || strings.Contains(text, "permission denied"):
		return "you may not write there: change its owner, or choose another --home"
	}
	return ""
}

func panicFile(name string, p any, stack []byte) string {
	f, err := os.CreateTemp("", name+"-crash-*.txt")
	if err != nil {
		return "the command that you ran"
	}
	defer f.Close()
	fmt.Fprintf(f, "%v\n\n%s", p, stack)
	return f.Name()
}

// Interactive reports whether screens can be shown: stdin and stdout are terminals that know more than plain text, and
// nobody asked for plain lines.
func (a *App) Interactive() bool {
	in, ok1 := a.Stdin.(*os.File)
	out, ok2 := a.Stdout.(*os.File)
	return ok1 && ok2 && isatty.IsTerminal(in.Fd()) && isatty.IsTerminal(out.Fd()) &&
		!a.Plain && !a.JSON && a.Getenv("TERM") != "dumb" && a.Getenv("TERM") != "" && a.Getenv("CI") != "true"
}
