package streamtest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// Outcome is a client's interpretation of an answer.
type Outcome struct {
	Whole  bool // false if it was rejected or truncated
	Status int
	Body   string
	Sum    string // value of the trailer X-Sum
	Err    error
}

func (o Outcome) String() string {
	return fmt.Sprintf("%t %d %q %q %v", o.Whole, o.Status, o.Body, o.Sum, o.Err)
}

// Agrees reports whether two clients with a complete answer have the same one.
func (o Outcome) Agrees(other Outcome) bool {
	return !o.Whole || !other.Whole || o.Status == other.Status && o.Body == other.Body && o.Sum == other.Sum
}

// Collect reads a response to its end.
func Collect(res *http.Response, err error) Outcome {
	if err != nil {
		return Outcome{Err: err}
	}
	defer res.Body.Close()
	o := Outcome{Status: res.StatusCode}
	if res.StatusCode == http.StatusSwitchingProtocols {
		o.Err = errors.New("switched")
		return o
	}
	body, err := io.ReadAll(res.Body)
	o.Whole, o.Body, o.Sum, o.Err = err == nil, string(body), res.Trailer.Get("X-Sum"), err
	return o
}

// ReadAnswer reads the final response with net/http.
func ReadAnswer(br *bufio.Reader, method string) Outcome {
	for range 100 {
		res, err := http.ReadResponse(br, &http.Request{Method: method})
		if err != nil || res.StatusCode >= 200 || res.StatusCode == http.StatusSwitchingProtocols {
			return Collect(res, err)
		}
	}
	return Outcome{Err: errors.New("too many informational responses")}
}

// noEnd returns an error in place of the end of a reader.
type noEnd struct{ r io.Reader }

func (n noEnd) Read(p []byte) (int, error) {
	m, err := n.r.Read(p)
	if err == io.EOF {
		err = errors.New("more is needed")
	}
	return m, err
}
