package checks

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestImageAnyUser checks that with a read-only file system the image runs as root, and
// as an unknown user in the group root, as on OpenShift.
func TestImageAnyUser(t *testing.T) {
	c := unpack(t)
	must(t, unix.Mount(c.rootfs, c.rootfs, "", unix.MS_BIND, ""))
	t.Cleanup(func() { unix.Unmount(c.rootfs, unix.MNT_DETACH) })
	must(t, unix.Mount("", c.rootfs, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""))
	startApp(t, "127.0.0.1:3000")
	for _, uid := range []uint32{0, 1000660000} {
		c.process.User.UID, c.process.User.GID = uid, 0
		c.running(func() {
			if status, body := get(page); status != 503 || !strings.Contains(body, "/etc/goodgate/goodgate.yaml") {
				t.Errorf("user %d: %d %q", uid, status, body)
			}
			c.health(0)
		})
		c.running(func() {
			if status, body := get(page); status != 200 || body != "the application\n" {
				t.Errorf("user %d: run --to: %d %q", uid, status, body)
			}
		}, "run", "--listen", ":8080", "--to", "http://127.0.0.1:3000")
	}
}

const page6 = "http://[::1]:8080/"

// TestImageIPv6 checks that clients, the application and the operator may all use IPv6.
func TestImageIPv6(t *testing.T) {
	c := unpack(t)
	startApp(t, "[::1]:3000")
	c.running(func() {
		if status, body := get(page6); status != 200 || body != "the application\n" {
			t.Errorf("run --to: %d %q", status, body)
		}
		if out, err := c.command(t.Context(), "health", "--admin", "[::1]:9900").CombinedOutput(); err != nil {
			t.Errorf("health: %v %s", err, out)
		}
	}, "run", "--listen", ":8080", "--admin", "[::1]:9900", "--to", "http://[::1]:3000")
}
