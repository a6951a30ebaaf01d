// Package haproxy reads HAProxy's configuration. [Load] splits it into sections and
// words. Each section has the settings that it inherits from its defaults. Values are
// immutable after reading.
package haproxy
