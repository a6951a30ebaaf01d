package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Client calls the API of a running goodgate.
type Client struct {
	Address string // host:port or unix:/path.sock
	Token   string // empty = none
	User    string // name of the user, sent beside the token; empty = none
}

// Path returns the path of an endpoint, with a segment for each name. It escapes names so
// that they arrive unchanged: servers and proxies remove the segments . and .. of a path.
func Path(endpoint string, names ...string) string {
	for _, name := range names {
		segment := url.PathEscape(name)
		if name == "." || name == ".." {
			segment = strings.Repeat("%2E", len(name))
		}
		endpoint += "/" + segment
	}
	return endpoint
}

// maxAnswer bounds an answer, in bytes.
const maxAnswer = 64 << 20

// clientBound bounds a whole request; a reload waits for new pools.
const clientBound = 30 * time.Second

// Get requests a path and decodes the answer into out; a *[]byte receives it undecoded.
func (c Client) Get(ctx context.Context, path string, out any) error {
	return c.do(ctx, http.MethodGet, path, nil, out)
}

// Post sends in as JSON, or no body if it is nil.
func (c Client) Post(ctx context.Context, path string, in, out any) error {
	return c.do(ctx, http.MethodPost, path, in, out)
}

// Delete deletes the resource at a path.
func (c Client) Delete(ctx context.Context, path string, out any) error {
	return c.do(ctx, http.MethodDelete, path, nil, out)
}

// Ready returns nil if goodgate serves and does not drain. ctx bounds the wait.
func (c Client) Ready(ctx context.Context) error {
	_, path, _ := strings.Cut(readyPattern, " ")
	res, err := c.send(ctx, http.MethodGet, path, http.NoBody)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode == http.StatusOK {
		return nil
	}
	said, _ := io.ReadAll(io.LimitReader(res.Body, 256))
	return errors.New(strings.TrimSuffix(fmt.Sprintf("not ready: %s on %s: %s", res.Status, c.Address, bytes.TrimSpace(said)), ": "))
}

func (c Client) do(ctx context.Context, method, path string, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, clientBound)
	defer cancel()
	var body bytes.Buffer
	if in != nil {
		if err := json.NewEncoder(&body).Encode(in); err != nil {
			return err
		}
	}
	res, err := c.send(ctx, method, path, &body)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	answer := json.NewDecoder(io.LimitReader(res.Body, maxAnswer))
	if res.StatusCode >= 300 {
		var f problem
		if answer.Decode(&f) != nil || f.Error == "" {
			return &NotGoodgate{c.Address, fmt.Errorf("it said %s", res.Status)}
		}
		return &Refused{res.StatusCode, f.Error, f.Code, f.Of}
	}
	if text, ok := out.(*[]byte); ok {
		*text, err = io.ReadAll(io.LimitReader(res.Body, maxAnswer))
		return err
	}
	if err := answer.Decode(out); err != nil {
		return &NotGoodgate{c.Address, errors.New("its answer is not JSON")}
	}
	return nil
}

// send returns the response. The caller closes its body.
func (c Client) send(ctx context.Context, method, path string, body io.Reader) (*http.Response, error) {
	network, address, host := "tcp", c.Address, c.Address
	if socket, ok := strings.CutPrefix(c.Address, "unix:"); ok {
		network, address, host = "unix", socket, "localhost"
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://"+host+path, body)
	if err != nil {
		return nil, fmt.Errorf("admin address %q: %w", c.Address, err)
	}
	if c.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.Token)
	}
	if c.User != "" {
		req.Header.Set(noteHeader, c.User)
	}
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	client := http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		return nil, &Unreachable{c.Address, err}
	}
	return res, nil
}
