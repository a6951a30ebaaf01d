//go:build !unix

package handover

import (
	"errors"
	"time"
)

func closeOnExec(uintptr) {}

// duplicate fails: a handover needs descriptors that a child inherits.
func duplicate(uintptr) (uintptr, error) { return 0, errors.ErrUnsupported }

// Monotonic returns 0, because there is no systemd.
func Monotonic() time.Duration { return 0 }
