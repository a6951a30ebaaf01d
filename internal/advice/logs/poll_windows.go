package logs

import (
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

// readable reports whether a read would return at once; it waits up to d for that.
// What is no pipe, or is one that nobody writes to any more, does not make a read wait.
func readable(f *os.File, d time.Duration) (bool, error) {
	peek := windows.NewLazySystemDLL("kernel32.dll").NewProc("PeekNamedPipe")
	if err := peek.Find(); err != nil {
		return false, err
	}
	var n uint32
	ok, _, _ := peek.Call(f.Fd(), 0, 0, 0, uintptr(unsafe.Pointer(&n)), 0)
	if ok == 0 || n > 0 {
		return true, nil
	}
	time.Sleep(d)
	return false, nil
}
