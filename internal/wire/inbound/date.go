package inbound

import (
	"net/http"
	"sync/atomic"
	"time"
)

// date formats the Date of responses (RFC 9110, section 6.6.1) once a second. It is safe
// for concurrent use.
type date struct{ last atomic.Pointer[dated] }

type dated struct {
	second int64
	text   string
}

// now returns the value of the Date field.
func (d *date) now() string {
	now := time.Now()
	last := d.last.Load()
	if last == nil || last.second != now.Unix() {
		last = &dated{now.Unix(), now.UTC().Format(http.TimeFormat)}
		d.last.Store(last)
	}
	return last.text
}
