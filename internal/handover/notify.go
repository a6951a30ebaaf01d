package handover

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"time"
)

// Notify tells systemd of a change of state, by lines such as READY=1
// (sd_notify(3)). Without a systemd that wants to know it does nothing.
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

// Watchdog returns how often systemd wants to hear WATCHDOG=1 at the latest, 0
// when it does not. WATCHDOG_PID is not looked at: a process that has taken
// over has another.
func Watchdog() time.Duration {
	n, err := strconv.ParseInt(os.Getenv("WATCHDOG_USEC"), 10, 64)
	if err != nil || n <= 0 {
		return 0
	}
	return time.Duration(n) * time.Microsecond
}
