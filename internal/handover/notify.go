package handover

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"time"
)

// Notify reports a change of state to systemd, with lines such as READY=1
// (sd_notify(3)). Without a notify socket it does nothing.
func Notify(state string) error {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return nil
	}
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("NOTIFY_SOCKET: %w", err)
	}
	defer c.Close()
	c.SetWriteDeadline(time.Now().Add(time.Second))
	_, err = c.Write([]byte(state))
	return err
}

// Watchdog returns the longest interval at which systemd expects WATCHDOG=1, 0 if it
// does not. It ignores WATCHDOG_PID, because a process that has taken over has another
// id.
func Watchdog() time.Duration {
	n, err := strconv.ParseInt(os.Getenv("WATCHDOG_USEC"), 10, 64)
	if err != nil || n <= 0 {
		return 0
	}
	return time.Duration(n) * time.Microsecond
}
