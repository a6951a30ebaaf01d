package logs

import (
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

// readable reports whether a read would return at once. It waits up to d for that. A
// read never waits for anything but a pipe with a writer.
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
