//go:build real

package parts

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// pageTime is enough for a page that needs nothing from a network, on a busy machine.
const pageTime = time.Minute

// Browser is a headless Chromium.
type Browser struct {
	t   testing.TB
	ctx context.Context
}

// Chromium starts a browser for the test, with a profile of its own.
func Chromium(t testing.TB) *Browser {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" && os.Getenv("WEIR_NO_BROWSER") == "1" {
		t.Skip("real browser: WEIR_NO_BROWSER says that there is none")
	}
	if path == "" {
		missing(t)("real browser: chromium is not on the PATH (Debian, Ubuntu: apt-get install chromium)")
	}
	alloc, end := chromedp.NewExecAllocator(context.Background(), chromedp.ExecPath(path), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.UserDataDir(t.TempDir()), chromedp.WSURLReadTimeout(pageTime), chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true), chromedp.Flag("hide-scrollbars", true))
	ctx, quit := chromedp.NewContext(alloc)
	t.Cleanup(func() {
		_ = chromedp.Cancel(ctx) // waits until it has gone: its profile is deleted next
		quit()
		end()
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("real browser: %v", err)
	}
	return &Browser{t: t, ctx: ctx}
}

// A Page is open in a tab.
type Page struct {
	t   testing.TB
	ctx context.Context

	mu       sync.Mutex
	requests []string
	errors   []string
}

// Open opens a page in a tab of a width in pixels, in a light or a dark scheme.
func (b *Browser) Open(url string, width int64, scheme string) *Page {
	b.t.Helper()
	ctx, end := chromedp.NewContext(b.ctx)
	b.t.Cleanup(end)
	p := &Page{t: b.t, ctx: ctx}
	err := chromedp.Listen(ctx, func(ev any) {
		p.mu.Lock()
		defer p.mu.Unlock()
		switch e := ev.(type) {
		case *network.EventRequestWillBeSent:
			p.requests = append(p.requests, e.Request.URL)
		case *runtime.EventConsoleAPICalled:
			p.errors = append(p.errors, string(e.Type))
		case *runtime.EventExceptionThrown:
			p.errors = append(p.errors, e.ExceptionDetails.Text)
		case *log.EventEntryAdded:
			p.errors = append(p.errors, e.Entry.Text)
		}
	})
	if err != nil {
		b.t.Fatalf("real browser: %v", err)
	}
	set := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}
	run(p, chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, log.Enable, cdp.Empty{})
		_, nerr := cdp.Call(ctx, t, network.Enable, network.EnableParams{})
		_, merr := cdp.Call(ctx, t, emulation.SetEmulatedMedia, set)
		return errors.Join(err, nerr, merr)
	}))
	run(p, chromedp.EmulateViewport(width, 900))
	run(p, chromedp.Navigate(url))
	return p
}

func run[T any](p *Page, a chromedp.Action[T]) T {
	p.t.Helper()
	ctx, done := context.WithTimeout(p.ctx, pageTime)
	defer done()
	v, err := chromedp.Run(ctx, a)
	if err != nil {
		p.t.Fatalf("real browser: %v", err)
	}
	return v
}

// Eval evaluates an expression in the page.
func Eval[T any](p *Page, expression string) T {
	p.t.Helper()
	return run(p, chromedp.Evaluate[T](expression))
}

// Shot is a picture of the whole page, as PNG.
func (p *Page) Shot() []byte {
	p.t.Helper()
	return run(p, chromedp.FullScreenshot(100))
}

// Requests are the addresses that the page has asked for, its own first.
func (p *Page) Requests() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string{}, p.requests...)
}

// Errors are what the page has said on its console.
func (p *Page) Errors() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string{}, p.errors...)
}
