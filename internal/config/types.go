package config

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/goodgate/goodgate/internal/duration"
)

// Duration is a span of time, written with its unit: 500ms, 1m30s, 0s.
type Duration = time.Duration

// Headers are header fields by canonical name, one value each.
type Headers map[string]string

// Values are values by name, one each.
type Values map[string]string

// Expressions are regular expressions (RE2), by the name of the value that must match.
type Expressions map[string]string

// Size is a number of bytes, written 64KiB (1024), 1MB (1000) or plain.
type Size int64

// Ratio is a share: 0.2 is written 20% or 0.2.
type Ratio float64

// HedgeAfter is the moment of a hedge: after the time in which a share of the pool's requests has been answered,
// written p95, or after a fixed time, written 20ms. Auto, written auto, also waits for evidence against the upstream.
// The zero value is never, written off.
type HedgeAfter struct {
	Share float64
	Time  Duration
	Auto  bool
}

// Adaptive decides when the limits of a pool follow the capacity of its upstreams: AdaptiveAuto, always ("true"), or
// never ("false").
type Adaptive string

// AdaptiveAuto adapts limits while a pool is overloaded.
const AdaptiveAuto Adaptive = "auto"

// StatusRange is the status codes From to To, both included: written 200, 200-399 or 2xx.
type StatusRange struct{ From, To int }

// Statuses is a set of status codes.
type Statuses []StatusRange

// Secret is text that no log, error or dump shows. string(s) is the text itself.
type Secret string

// errNegative is for counts and durations.
var errNegative = errors.New("must not be negative")

func parseDuration(text string) (Duration, error) {
	d, err := time.ParseDuration(text)
	switch {
	case isDigits(text):
		return 0, fmt.Errorf("a duration needs a unit: %ss or %sms", text, text)
	case err != nil:
		return 0, errors.New("expected a duration such as 500ms, 2s or 1m30s")
	case d < 0:
		return 0, errNegative
	}
	return d, nil
}

func sizeUnit(unit string) (int64, bool) {
	switch unit {
	case "", "B":
		return 1, true
	case "kB", "KB":
		return 1e3, true
	case "MB":
		return 1e6, true
	case "GB":
		return 1e9, true
	case "KiB":
		return 1 << 10, true
	case "MiB":
		return 1 << 20, true
	case "GiB":
		return 1 << 30, true
	}
	return 0, false
}

// UnmarshalText reads a size; it accepts no fractions.
func (s *Size) UnmarshalText(text []byte) error {
	t := string(text)
	end := strings.IndexFunc(t, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		end = len(t)
	}
	n, err := strconv.ParseInt(t[:end], 10, 64)
	unit, known := sizeUnit(strings.TrimSpace(t[end:]))
	switch {
	case err != nil || !known:
		return errors.New("expected a size such as 64KiB, 1MiB, 1MB or a number of bytes")
	case n > (1<<62)/unit:
		return errors.New("too large")
	}
	*s = Size(n * unit)
	return nil
}

// String writes the size in the largest binary unit that needs no fraction.
func (s Size) String() string {
	for _, unit := range []string{"GiB", "MiB", "KiB"} {
		if n, _ := sizeUnit(unit); s != 0 && int64(s)%n == 0 {
			return strconv.FormatInt(int64(s)/n, 10) + unit
		}
	}
	return strconv.FormatInt(int64(s), 10) + "B"
}

// UnmarshalText reads a ratio.
func (r *Ratio) UnmarshalText(text []byte) error {
	number, percent := strings.CutSuffix(string(text), "%")
	f, err := strconv.ParseFloat(number, 64)
	if err != nil || strings.Trim(number, "0123456789.") != "" {
		return errors.New("expected a ratio such as 20% or 0.2")
	}
	if !percent && f > 10 {
		return fmt.Errorf("write %s%% (or %s)", number, strconv.FormatFloat(f/100, 'f', -1, 64))
	}
	if percent {
		f /= 100
	}
	*r = Ratio(f)
	return nil
}

// String writes the ratio as a percentage.
func (r Ratio) String() string {
	return strconv.FormatFloat(float64(r)*100, 'f', -1, 32) + "%"
}

// UnmarshalText reads auto, p90, p95, p99, a duration or off.
func (h *HedgeAfter) UnmarshalText(text []byte) error {
	*h = HedgeAfter{}
	switch t := string(text); t {
	case "off":
		return nil
	case "auto":
		h.Auto = true
	case "p90":
		h.Share = 0.9
	case "p95":
		h.Share = 0.95
	case "p99":
		h.Share = 0.99
	default:
		d, err := time.ParseDuration(t)
		if err != nil || d < 0 {
			return errors.New("expected auto, p90, p95, p99, a duration such as 20ms, or off")
		}
		h.Time = d
	}
	return nil
}

// String returns the moment as written in a file.
func (h HedgeAfter) String() string {
	switch {
	case h.Auto:
		return "auto"
	case h.Share > 0:
		return fmt.Sprintf("p%.0f", h.Share*100)
	case h.Time > 0:
		return duration.Text(h.Time)
	}
	return "off"
}

// UnmarshalText reads auto, true or false.
func (a *Adaptive) UnmarshalText(text []byte) error {
	if *a = Adaptive(text); *a == AdaptiveAuto {
		return nil
	}
	on, err := parseBool(string(text))
	if err != nil {
		return errors.New("expected auto, true or false")
	}
	*a = Adaptive(strconv.FormatBool(on))
	return nil
}

// UnmarshalText reads one code, a range or a class.
func (r *StatusRange) UnmarshalText(text []byte) error {
	t := string(text)
	errForm := errors.New("expected a status code from 100 to 599, such as 200, 200-399 or 2xx")
	if class, ok := strings.CutSuffix(strings.ToLower(t), "xx"); ok {
		t = class + "00-" + class + "99"
	}
	first, last, isRange := strings.Cut(t, "-")
	if !isRange {
		last = first
	}
	if len(first) != 3 || len(last) != 3 || !isDigits(first+last) {
		return errForm
	}
	from, _ := strconv.Atoi(first)
	to, _ := strconv.Atoi(last)
	switch {
	case from < 100 || to > 599:
		return errForm
	case from > to:
		return fmt.Errorf("the range is empty: write %d-%d", to, from)
	}
	*r = StatusRange{from, to}
	return nil
}

// String returns the range as written in a file.
func (r StatusRange) String() string {
	if r.From == r.To {
		return strconv.Itoa(r.From)
	}
	return fmt.Sprintf("%d-%d", r.From, r.To)
}

// Contains reports whether code is in the set.
func (s Statuses) Contains(code int) bool {
	for _, r := range s {
		if r.From <= code && code <= r.To {
			return true
		}
	}
	return false
}

// overlaps reports whether the set has a code between from and to.
func (s Statuses) overlaps(from, to int) bool {
	for _, r := range s {
		if r.From <= to && from <= r.To {
			return true
		}
	}
	return false
}

// String hides the text.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return hidden
}

// GoString hides the text from %#v.
func (s Secret) GoString() string { return strconv.Quote(s.String()) }

// LogValue hides the text from log/slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText hides the text from JSON, YAML and the like.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// parsePrefix reads a network; an address alone is the network of that one host. Bits outside the mask are an error.
func parsePrefix(text string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(text); err == nil && addr.Zone() == "" {
		addr = addr.Unmap() // like the address of a client
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err == nil && p.Addr().Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	switch {
	case err != nil:
		return p, errors.New("expected a network such as 10.0.0.0/8 or fd00::/8, or an address")
	case p != p.Masked():
		return p, fmt.Errorf("the address has bits outside the mask: write %s, or %s for the one host", p.Masked(), p.Addr())
	}
	return p, nil
}

func parseMode(text string) (fs.FileMode, error) {
	n, err := strconv.ParseUint(strings.TrimPrefix(text, "0o"), 8, 32)
	if err != nil || n > 0o777 {
		return 0, errors.New(`expected octal permissions such as "0660"`)
	}
	return fs.FileMode(n), nil
}

func parseBool(text string) (bool, error) {
	switch text {
	case "true", "True", "TRUE":
		return true, nil
	case "false", "False", "FALSE":
		return false, nil
	}
	return false, errors.New("expected true or false")
}

func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}
