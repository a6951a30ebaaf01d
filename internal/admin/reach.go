package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Refused is an error answer of the API.
type Refused struct {
	Status int
	Text   string
	Code   string // for programs, for example [LastUpstream]; empty = none
	Of     int    // with LastUpstream: upstreams of the pool
}

func (e *Refused) Error() string { return e.Text }

// Unreachable means that no goodgate answers at an address.
type Unreachable struct {
	Address string
	Err     error
}

func (e *Unreachable) Unwrap() error { return e.Err }

func (e *Unreachable) Error() string {
	switch {
	case errors.Is(e.Err, fs.ErrPermission):
		return fmt.Sprintf("%s belongs to another user: run this command as goodgate's user, or as root", e.Address)
	case errors.Is(e.Err, syscall.ECONNREFUSED), errors.Is(e.Err, fs.ErrNotExist):
		return e.text("")
	}
	if late, ok := errors.AsType[net.Error](e.Err); ok && late.Timeout() {
		return e.text(" in time")
	}
	if dns, ok := errors.AsType[*net.DNSError](e.Err); ok {
		return fmt.Sprintf("the name in %s does not resolve: %s", e.Address, dns.Err)
	}
	return e.text("") + fmt.Sprintf(" (%v)", innermost(e.Err))
}

func (e *Unreachable) text(how string) string {
	return fmt.Sprintf("no goodgate answers%s at %s: is it running, and is `%s` in its file?", how, e.Address, ToWrite(e.Address))
}

// ToWrite returns the configuration that puts the API at an address.
func ToWrite(address string) string {
	if strings.HasPrefix(address, "[") {
		address = strconv.Quote(address) // without quotes YAML reads a list
	}
	return "admin: {address: " + address + "}"
}

func innermost(err error) error {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err
		}
		err = next
	}
}

// NotGoodgate means that another program answers at an address, or one of goodgate's
// listeners for clients.
type NotGoodgate struct {
	Address string
	Err     error // the error in the answer
}

func (e *NotGoodgate) Unwrap() error { return e.Err }

func (e *NotGoodgate) Error() string {
	return fmt.Sprintf("the server at %s is not goodgate's admin API (%v): use the address of `admin`, not of a listener", e.Address, e.Err)
}

// lookBound bounds one search for a goodgate on this machine.
const lookBound = 500 * time.Millisecond

// Find returns the addresses at which a goodgate answers, in their order. It asks all of
// them at the same time, for at most half a second, and sends no token.
func Find(ctx context.Context, addresses []string) []string {
	ctx, cancel := context.WithTimeout(ctx, lookBound)
	defer cancel()
	there := make([]bool, len(addresses))
	var wg sync.WaitGroup
	for i, a := range addresses {
		wg.Go(func() { there[i] = isGoodgate(ctx, a) })
	}
	wg.Wait()
	var found []string
	for i, a := range addresses {
		if there[i] {
			found = append(found, a)
		}
	}
	return found
}

// isGoodgate reports whether GET /live returns goodgate's answer.
func isGoodgate(ctx context.Context, address string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+strings.TrimPrefix(livePattern, "GET "), nil)
	if err != nil {
		return false
	}
	transport := &http.Transport{DisableKeepAlives: true}
	res, err := transport.RoundTrip(req)
	if err != nil {
		return false
	}
	defer res.Body.Close()
	said, _ := io.ReadAll(io.LimitReader(res.Body, int64(len(liveText)+1)))
	return res.StatusCode == http.StatusOK && string(said) == liveText
}
