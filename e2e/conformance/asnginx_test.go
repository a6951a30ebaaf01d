package conformance_test

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
)

// asNginxVariable makes this program replace nginx, with the goodgate named by its
// value.
const asNginxVariable = "GOODGATE_AS_NGINX"

// asNginx is nginx as its test suite sees it: -V, -t, -p and -c, signals, a file with
// its process. The servers of a configuration that are applications stay with a real
// nginx.
func asNginx(goodgate string, args []string) error {
	if slices.Contains(args, "-V") {
		fmt.Println("nginx version: nginx/1.31.3\nbuilt with OpenSSL 3.0.19\nTLS SNI support enabled\n" +
			"configure arguments: --with-http_ssl_module --with-http_v2_module --with-http_realip_module")
		return nil
	}
	value := func(flag string) string {
		if i := slices.Index(args, flag); i >= 0 && i+1 < len(args) {
			return args[i+1]
		}
		return ""
	}
	if err := os.Chdir(value("-p")); err != nil {
		return err
	}
	conf, apps, err := split(value("-c"))
	if err != nil {
		return err
	}
	if apps != nil {
		if err := apps.Start(); err != nil {
			return err
		}
		defer func() { apps.Process.Signal(syscall.SIGTERM); apps.Wait() }()
	}
	if err := convertTo(goodgate, conf, "goodgate.yaml"); err != nil || slices.Contains(args, "-t") {
		return err
	}
	return runGoodgate(goodgate, conf)
}

// runGoodgate runs it until a signal, and writes nginx.pid when it listens.
func runGoodgate(goodgate, conf string) error {
	log, err := os.OpenFile("error.log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGUSR1)
	c := exec.Command(goodgate, "run", "--config", "goodgate.yaml")
	c.Stdout, c.Stderr = log, log
	if err := c.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	listening := time.NewTicker(50 * time.Millisecond)
	defer listening.Stop()
	for {
		select {
		case err := <-ended:
			return err
		case <-listening.C:
			if isUp("goodgate.yaml") {
				listening.Stop()
				os.WriteFile("nginx.pid.new", fmt.Appendln(nil, os.Getpid()), 0o600)
				os.Rename("nginx.pid.new", "nginx.pid")
			}
		case s := <-signals:
			switch s {
			case syscall.SIGHUP:
				if convertTo(goodgate, conf, "goodgate.yaml") == nil {
					c.Process.Signal(s)
				}
			case syscall.SIGUSR1:
				c.Process.Signal(s)
			default:
				c.Process.Signal(syscall.SIGTERM)
			}
		}
	}
}

var refused = regexp.MustCompile(`accept the loss with --accept \\?"([^"\\]*)\\?"`)

// convertTo converts a configuration, and accepts refusals, because the rest can still
// be tested.
func convertTo(goodgate, conf, yaml string) error {
	accepted := ""
	for {
		c := exec.Command(goodgate, "convert", "--accept", accepted, conf)
		var out, said bytes.Buffer
		c.Stdout, c.Stderr = &out, &said
		err := c.Run()
		if err == nil {
			return os.WriteFile(yaml, append(out.Bytes(), "shutdown: {lame_duck: 0s, grace: 2s}\n"...), 0o600)
		}
		m := refused.FindSubmatch(said.Bytes())
		if m == nil || accepted != "" {
			return errors.New(said.String())
		}
		accepted = string(m[1])
	}
}

var addresses = regexp.MustCompile(`(?m)^  - address: "([^"]*)"`)

// isUp reports whether all listeners of a configuration take connections.
func isUp(yaml string) bool {
	text, _ := os.ReadFile(yaml)
	for _, m := range addresses.FindAllSubmatch(text, -1) {
		network, address := "tcp", string(m[1])
		if path, ok := strings.CutPrefix(address, "unix:"); ok {
			network, address = "unix", path
		}
		c, err := net.DialTimeout(network, address, time.Second)
		if err != nil {
			return false
		}
		c.Close()
	}
	return true
}
