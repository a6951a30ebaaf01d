package dns01

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"
	"time"
)

// The messages below are those of another implementation (github.com/miekg/dns 1.1.73):
// an update of example.com at 1700000000 s, and the answer a second later.
const (
	plainUpdate = "123428000001000000010000076578616d706c6503636f6d00000600010f5f61636d652d6368616c6c656e6765076578616d706c6503636f6d00001000010000003c00100f67666a3958712e2e2e526738356e4d"
	plainAnswer = "1234a8000001000000000001076578616d706c6503636f6d0000060001"
	keyInWire   = "036b6579076578616d706c6503636f6d0000fa00ff00000000"
)

var vectors = []struct{ algorithm, request, answer string }{
	{"hmac-sha224", "00390b686d61632d7368613232340000006553f100012c001c3e13fba03add21b34d66aaaca900ffbad97a6b424b993fd659964655123400000000",
		"00390b686d61632d7368613232340000006553f101012c001c06f986d73ee5bd4b79d483cbbff38c272618cbbf1e9d4755274faec7123400000000"},
	{"hmac-sha256", "003d0b686d61632d7368613235360000006553f100012c00209f3ff8a2721a82b39a9069a1a0fb854858fabbb9604d3f6322a086ee3da265b8123400000000",
		"003d0b686d61632d7368613235360000006553f101012c002093f02b6b8d58cb989dc84524600e3c459ec85490032f691cfdd084261eb79584123400000000"},
	{"hmac-sha384", "004d0b686d61632d7368613338340000006553f100012c00307f2388ee1ac600efac559ff3668a1f8e31ca1ea50b192b36657970d4c3e7e6f43383eb993077288626cc1666719fd6c4123400000000",
		"004d0b686d61632d7368613338340000006553f101012c00308abfb465bc257ef6fbe8037a0edfe22e52d57b3a525df3ec35eca708fb6b32362ac19b616aec770884f1fb9182ae8429123400000000"},
	{"hmac-sha512", "005d0b686d61632d7368613531320000006553f100012c0040d43af809a689306420a01ddbddd2e2abe804e3e02f99e89df10380454c9711106d890f2afa087690d1dda14620b38d15b5a69a4b78a575fe981fc6af787803e5123400000000",
		"005d0b686d61632d7368613531320000006553f101012c0040677cbe1c76b6ac8f0c3311d363835b96ef1b32596910a52317cc84c0878c3aa22c046f26db978d405983d97e669ee17547c9e4a0197242223196b1e4062c6f03123400000000"},
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestTSIG(t *testing.T) {
	at := time.Unix(1700000000, 0)
	for _, v := range vectors {
		t.Run(v.algorithm, func(t *testing.T) {
			k, err := newKey("Key.Example.com.", v.algorithm, []byte("secret of the test"))
			if err != nil {
				t.Fatal(err)
			}
			signed, mac := k.sign(unhex(t, plainUpdate), at)
			want := unhex(t, plainUpdate+keyInWire+v.request)
			want[11] = 1 // additional records
			if !bytes.Equal(signed, want) {
				t.Errorf("got  %x\nwant %x", signed, want)
			}
			answer := unhex(t, plainAnswer+keyInWire+v.answer)
			if err := k.verify(answer, mac, at.Add(time.Second)); err != nil {
				t.Errorf("a good answer: %v", err)
			}
			if err := k.verify(answer, mac, at.Add(time.Hour)); err != badTime {
				t.Errorf("an old answer: got %v, want BADTIME", err)
			}
			if err := k.verify(answer, append([]byte{1}, mac[1:]...), at); err != errUnsigned {
				t.Errorf("the answer to another request: got %v", err)
			}
			for i := range answer {
				if k.verify(answer[:i], mac, at) == nil {
					t.Errorf("accepted: the first %d bytes", i)
				}
				changed := bytes.Clone(answer)
				if changed[i] ^= 0x20; i > 1 && !bytes.EqualFold(changed, answer) && i < len(plainAnswer)/2 && k.verify(changed, mac, at) == nil {
					t.Errorf("accepted: byte %d changed", i)
				}
			}
		})
	}
}

// A server reports a wrong key or clock in a TSIG record without a MAC.
func TestTSIGErrors(t *testing.T) {
	k, err := newKey("key.example.com", "hmac-sha256", []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	for code, want := range map[string]string{"0010": "BADSIG", "0011": "BADKEY", "0012": "BADTIME", "0016": "TSIG error 22"} {
		answer := unhex(t, "1234a8090001000000000001076578616d706c6503636f6d0000060001"+keyInWire+"001d0b686d61632d7368613235360000006553f101012c00001234"+code+"0000")
		err := k.verify(answer, []byte("mac"), time.Now())
		if _, ok := errors.AsType[tsigError](err); !ok || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if err := k.verify(unhex(t, "1234a8050001000000000000076578616d706c6503636f6d0000060001"), []byte("mac"), time.Now()); err != errUnsigned {
		t.Errorf("without TSIG: got %v", err)
	}
	for _, bad := range []string{"", ".", "a..b", string(bytes.Repeat([]byte("a"), 64)), string(bytes.Repeat([]byte("abc."), 64))} {
		if _, err := newKey(bad, "hmac-sha256", nil); err == nil {
			t.Errorf("accepted: the key name %q", bad)
		}
	}
	if _, err := newKey("k", "hmac-md5", nil); err == nil {
		t.Error("accepted: hmac-md5")
	}
}

func FuzzVerify(f *testing.F) {
	k, err := newKey("key.example.com", "hmac-sha256", []byte("x"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(plainAnswer))
	f.Fuzz(func(t *testing.T, b []byte) {
		if k.verify(b, nil, time.Unix(1700000000, 0)) == nil {
			t.Error("a message is accepted that nobody has signed")
		}
	})
}
