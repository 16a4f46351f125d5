package fake

import (
	"io"
	"net/http"
	"net/http/httptest"
)

// Direct is a transport that calls a server without a network, for tests in virtual time: there a goroutine that waits for a
// socket would stop the clock. Start the server outside the bubble.
func Direct(server http.Handler) http.RoundTripper { return direct{server} }

type direct struct{ server http.Handler }

func (d direct) RoundTrip(req *http.Request) (resp *http.Response, err error) {
	defer func() {
		switch r := recover(); r {
		case nil:
		case http.ErrAbortHandler: // the connection is cut
			resp, err = nil, io.ErrUnexpectedEOF
		default:
			panic(r)
		}
	}()
	w := httptest.NewRecorder()
	d.server.ServeHTTP(w, req)
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	resp = w.Result()
	resp.Request = req
	return resp, nil
}
