package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/goodgate/goodgate/internal/duration"
)

// Fault is an injected fault, for testing the clients of a route: exactly one of Delay, Abort, Cut and Throttle is set.
type Fault struct {
	Share    Ratio    `yaml:"share" default:"100%" min:"0%" max:"100%" help:"Share of the requests that get the fault."`
	Headers  Headers  `yaml:"headers" format:"header" example:"{X-Fault: delay}" help:"Headers that a request must have; an empty value or * matches any."`
	Until    string   `yaml:"until" default:"" format:"time" help:"When the fault ends by itself; empty means never."`
	Delay    Duration `yaml:"delay" oneof:"fault" min:"1ms" max:"1m" example:"300ms" help:"Wait before the request goes to an upstream."`
	Abort    int      `yaml:"abort" oneof:"fault" min:"400" max:"599" example:"503" help:"Answer with this status. No upstream gets the request."`
	Cut      Size     `yaml:"cut" oneof:"fault" min:"1B" max:"1GiB" example:"1KiB" help:"Close the connection after this much of the response body."`
	Throttle Size     `yaml:"throttle" oneof:"fault" min:"1B" max:"1GiB" example:"10KiB" help:"Highest number of bytes of the response body to send per second."`
}

// Ends returns the end of the fault; zero = never.
func (f Fault) Ends() time.Time {
	t, _ := time.Parse(time.RFC3339, f.Until) // checked before
	return t
}

// Active reports whether requests may meet the fault.
func (f Fault) Active(now time.Time) bool {
	return f.Share > 0 && (f.Until == "" || now.Before(f.Ends()))
}

func (f Fault) String() string {
	what := ""
	switch {
	case f.Delay > 0:
		what = "delay " + duration.Text(f.Delay)
	case f.Abort > 0:
		what = fmt.Sprintf("abort %d", f.Abort)
	case f.Cut > 0:
		what = fmt.Sprintf("cut after %s", f.Cut)
	case f.Throttle > 0:
		what = fmt.Sprintf("throttle to %s a second", f.Throttle)
	}
	return what
}

// ActiveFaults returns the names of the routes with faults that requests may meet.
func (c *Config) ActiveFaults(now time.Time) (routes []string) {
	for _, r := range c.Routes {
		if slices.ContainsFunc(r.Faults, func(f Fault) bool { return f.Active(now) }) {
			routes = append(routes, r.Name)
		}
	}
	return routes
}

// faults warns of every fault, so that none is forgotten.
func (a *advisor) faults(path string, r Route, now time.Time) {
	for i, f := range r.Faults {
		at := index(path+".faults", i)
		switch {
		case f.Active(now) && f.Until != "":
			a.warnf(at, "an injected fault is active until %s: %s for %s", f.Until, f, f.of())
		case f.Active(now):
			a.warnf(at, "an injected fault is active without an end: %s for %s; set until", f, f.of())
		case f.Share > 0:
			a.warnf(at+".until", "the injected fault ended at %s: remove it", f.Until)
		}
	}
}

// of describes the requests that get the fault.
func (f Fault) of() string {
	if len(f.Headers) == 0 {
		return fmt.Sprintf("%s of the requests", f.Share)
	}
	names := make([]string, 0, len(f.Headers))
	for name := range f.Headers {
		names = append(names, name)
	}
	slices.Sort(names)
	return fmt.Sprintf("%s of the requests with %s", f.Share, strings.Join(names, " and "))
}

// moment accepts a time with its zone (RFC 3339).
func moment(s string) (string, error) {
	if _, err := time.Parse(time.RFC3339, s); err != nil {
		return "", errors.New("expected a time such as 2030-01-31T18:00:00Z")
	}
	return s, nil
}
