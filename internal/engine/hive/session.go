package hive

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/beltran/gohive"
	"github.com/beltran/gohive/hiveserver"

	"weir/internal/engine"
)

// session is one session on the server, for one call.
type session struct {
	conn *gohive.Connection
	net  *greeted
}

// What every session begins with. The zone decides what a timestamp's text means.
var setup = []string{
	"SET spark.sql.session.timeZone=UTC", "SET spark.sql.ansi.enabled=true", "SET spark.sql.ansi.doubleQuotedIdentifiers=true",
}

// open connects. The first session of a server may take a minute, so that only the greeting has a limit of its own.
func (e *Engine) open(ctx context.Context) (*session, error) {
	host, p, err := net.SplitHostPort(e.o.Address)
	if err != nil {
		return nil, err
	}
	port, err := strconv.Atoi(p)
	if err != nil {
		return nil, fmt.Errorf("hive: expected the address host:port, got %q", e.o.Address)
	}
	s := &session{}
	c := gohive.NewConnectConfiguration()
	c.Username, c.Password, c.FetchSize, c.PollIntervalInMillis = e.o.User, e.o.Password, 10_000, 20
	// A server answers the question how a statement stands only when it has ended, or after this time (5 s, if nothing is said).
	// Nothing else can be said meanwhile, so that it bounds how soon a statement is cancelled.
	c.HiveConfiguration = map[string]string{"hive.server2.long.polling.timeout": "100ms"}
	c.DialContext = func(_ context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{Timeout: e.o.Dial}).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		s.net = &greeted{Conn: conn}
		if e.o.Auth == Plain { // SASL answers at once; a server without it waits for more
			s.net.limit = e.o.Dial
		}
		return s.net, nil
	}
	// The library's calls know no context: where one ends, the connection under them is closed.
	type opened struct {
		conn *gohive.Connection
		err  error
	}
	done := make(chan opened, 1)
	go func() {
		conn, err := gohive.Connect(host, port, e.o.Auth, c)
		done <- opened{conn, err}
	}()
	select {
	case o := <-done:
		if o.err != nil {
			if ctx.Err() != nil {
				return nil, ended(ctx)
			}
			if s.net != nil {
				_ = s.net.Close()
			}
			return nil, e.unreachable(o.err)
		}
		s.conn = o.conn
	case <-ctx.Done():
		go func() { // it ends with its dial or with the closed connection
			if o := <-done; o.conn != nil {
				_ = o.conn.Close()
			}
		}()
		return nil, ended(ctx)
	}
	return s, nil
}

// work prepares the session, does what it is for and closes it.
func (s *session) work(ctx context.Context, r rendered, do func(*session, rendered) error) (err error) {
	defer func() { err = errors.Join(err, s.close()) }()
	for _, stmt := range setup {
		if err := s.run(ctx, stmt, rendered{}, "", nil); err != nil {
			return err
		}
	}
	return do(s, r)
}

func (s *session) close() error {
	_ = s.net.SetDeadline(time.Now().Add(5 * time.Second)) // a server that has gone must not hold us
	if err := s.conn.Close(); err != nil && !s.net.broken() {
		return fmt.Errorf("hive: close the session: %s", firstLine(err.Error()))
	}
	return nil
}

var errSilent = errors.New("the server does not answer the greeting")

// greeted is a connection whose first answer must come within a limit.
type greeted struct {
	net.Conn
	limit time.Duration
	once  sync.Once
	mu    sync.Mutex
	err   error
}

func (g *greeted) Read(b []byte) (n int, err error) {
	first := false
	g.once.Do(func() { first = true })
	if first && g.limit > 0 {
		_ = g.SetReadDeadline(time.Now().Add(g.limit))
		defer func() { _ = g.SetReadDeadline(time.Time{}) }()
	}
	n, err = g.Conn.Read(b)
	if first && errors.Is(err, os.ErrDeadlineExceeded) {
		err = errSilent
	}
	if err != nil {
		g.mu.Lock()
		g.err = err
		g.mu.Unlock()
	}
	return n, err
}

func (g *greeted) broken() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.err != nil
}

func ended(ctx context.Context) error {
	if cause := context.Cause(ctx); !errors.Is(cause, ctx.Err()) {
		return fmt.Errorf("%w: %w", ctx.Err(), cause)
	}
	return ctx.Err()
}

// run executes before + query + after, waits for its end and hands the cursor to fetch, if that is given.
func (s *session) run(ctx context.Context, before string, r rendered, after string, fetch func(*gohive.Cursor) error) error {
	c := s.conn.Cursor()
	defer c.Close()
	c.Execute(context.WithoutCancel(ctx), before+r.text+after, true)
	var refused gohive.HiveError
	if errors.As(c.Err, &refused) {
		return explain(refused.Message, before, r)
	}
	if c.Err != nil {
		return s.lost(ctx, c.Err)
	}
	for wait := 5 * time.Millisecond; ; wait = min(2*wait, 250*time.Millisecond) {
		st := c.Poll(false)
		if c.Err != nil {
			return s.lost(ctx, c.Err)
		}
		switch st.GetOperationState() {
		case hiveserver.TOperationState_FINISHED_STATE:
			if fetch == nil {
				return nil
			}
			return fetch(c)
		case hiveserver.TOperationState_INITIALIZED_STATE, hiveserver.TOperationState_PENDING_STATE, hiveserver.TOperationState_RUNNING_STATE:
		default:
			if ctx.Err() != nil { // the query may fail of its cancellation
				return ended(ctx)
			}
			message := st.GetErrorMessage()
			if message == "" {
				message = "the statement ended as " + st.GetOperationState().String()
			}
			return explain(message, before, r)
		}
		select {
		case <-ctx.Done():
			c.Cancel()
			return ended(ctx)
		case <-time.After(wait):
		}
	}
}

func (s *session) lost(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ended(ctx)
	}
	return fmt.Errorf("hive %s: %w: %s", s.net.RemoteAddr(), engine.ErrLost, firstLine(err.Error()))
}

// rows runs a statement and gathers its rows, whose columns have these types; none for one that gives no rows.
func (s *session) rows(ctx context.Context, before string, r rendered, after string, kinds []string) (out [][]any, err error) {
	if kinds == nil {
		return nil, s.run(ctx, before, r, after, nil)
	}
	err = s.run(ctx, before, r, after, func(c *gohive.Cursor) error {
		for c.HasMore(context.WithoutCancel(ctx)) {
			if ctx.Err() != nil {
				return ended(ctx)
			}
			if c.Err != nil {
				break
			}
			into, values := make([]any, len(kinds)), make([]func() (any, error), len(kinds))
			for i, k := range kinds {
				into[i], values[i] = cell(k)
			}
			if c.FetchOne(context.WithoutCancel(ctx), into...); c.Err != nil {
				break
			}
			row := make([]any, len(kinds))
			for i, v := range values {
				var err error
				if row[i], err = v(); err != nil {
					return fmt.Errorf("hive: column %d: %w", i+1, err)
				}
			}
			out = append(out, row)
		}
		if c.Err != nil {
			return s.lost(ctx, c.Err)
		}
		return nil
	})
	return out, err
}

// describe gives the columns of a query's result.
func (s *session) describe(ctx context.Context, r rendered) ([]engine.Column, error) {
	rows, err := s.rows(ctx, "DESCRIBE QUERY\n", r, "", []string{"string", "string", "string"})
	var cols []engine.Column
	for _, row := range rows {
		cols = append(cols, engine.Column{Name: fmt.Sprint(row[0]), Type: fmt.Sprint(row[1])})
	}
	return cols, err
}
