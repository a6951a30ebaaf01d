//go:build !unix

package handover

import (
	"errors"
	"time"
)

func closeOnExec(uintptr) {}

// duplicate fails: without descriptors that a child inherits there is no handover.
func duplicate(uintptr) (uintptr, error) { return 0, errors.ErrUnsupported }

// Monotonic returns 0: there is no systemd to hear it.
func Monotonic() time.Duration { return 0 }
