// Command pictures records a program in a terminal, and writes the recording as one
// animated SVG that needs no script and no font.
//
//	go run . -o demo.svg -every 1s -for 40s -- goodgate demo --for 40s
package main

import (
	"errors"
	"flag"
	"fmt"
	"image/color"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	uv "github.com/charmbracelet/ultraviolet"
	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/vt"
	"github.com/creack/pty"
)

func main() {
	out := flag.String("o", "", "file to write")
	every := flag.Duration("every", time.Second, "time between two frames")
	length := flag.Duration("for", 30*time.Second, "time to record")
	skip := flag.Duration("skip", 0, "time before the first frame")
	columns := flag.Int("columns", 88, "width of the terminal")
	rows := flag.Int("rows", 18, "height of the terminal")
	flag.Parse()
	if *out == "" || flag.NArg() == 0 || *every <= 0 || *length < *every {
		flag.Usage()
		os.Exit(2)
	}
	frames, err := record(flag.Args(), *columns, *rows, *skip, *every, int(*length / *every))
	if err == nil {
		err = os.WriteFile(*out, []byte(movie(frames, *columns, *rows, *every)), 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// record returns the program's screen as frames, one per interval.
func record(command []string, columns, rows int, skip, every time.Duration, count int) ([]frame, error) {
	c := exec.Command(command[0], command[1:]...)
	c.Env = append(os.Environ(), "TERM=xterm-256color", "COLORTERM=truecolor")
	terminal, err := pty.StartWithSize(c, &pty.Winsize{Cols: uint16(columns), Rows: uint16(rows)})
	if err != nil {
		return nil, err
	}
	defer terminal.Close()
	var lock sync.Mutex // protects screen
	screen := vt.NewEmulator(columns, rows)
	go io.Copy(terminal, screen) // the terminal's answers to queries
	go func() {
		b := make([]byte, 32<<10)
		for {
			n, err := terminal.Read(b)
			lock.Lock()
			screen.Write(b[:n])
			lock.Unlock()
			if err != nil {
				return
			}
		}
	}()
	time.Sleep(skip)
	var frames []frame
	for range count {
		time.Sleep(every)
		lock.Lock()
		frames = append(frames, take(screen))
		lock.Unlock()
	}
	c.Process.Signal(os.Interrupt)
	if err := c.Wait(); err != nil && !errors.As(err, new(*exec.ExitError)) {
		return nil, err
	}
	return frames, nil
}

type frame [][]span

type span struct {
	at    int // column of the text
	text  string
	class string
	color string
}

func take(screen *vt.Emulator) frame {
	var f frame
	for y := range screen.Height() {
		var line []span
		for x := range screen.Width() {
			cell := screen.CellAt(x, y)
			if cell == nil || cell.Content == "" {
				cell = &uv.Cell{Content: " "}
			}
			s := span{at: x, text: cell.Content, color: hex(cell.Style.Fg)}
			if cell.Style.Attrs&uv.AttrBold != 0 {
				s.class = "b"
			}
			if cell.Style.Attrs&uv.AttrFaint != 0 {
				s.class += "f"
			}
			if n := len(line); n > 0 && line[n-1].class == s.class && line[n-1].color == s.color {
				line[n-1].text += s.text
			} else {
				line = append(line, s)
			}
		}
		f = append(f, line)
	}
	return f
}

// hex returns a color in CSS. Terminals choose the sixteen basic colors themselves;
// these are readable on a dark background.
func hex(c color.Color) string {
	if c == nil {
		return ""
	}
	if basic, ok := c.(ansi.BasicColor); ok {
		return [8]string{"#4c566a", "#ff6b6b", "#8ccf7e", "#e5c76b", "#67b0e8", "#c47fd5", "#6cbfbf", "#d8dee9"}[basic%8]
	}
	r, g, b, _ := c.RGBA()
	return fmt.Sprintf("#%02x%02x%02x", r>>8, g>>8, b>>8)
}

const (
	cellWidth  = 8.4
	cellHeight = 18
	margin     = 12
)

// movie stacks the frames vertically and moves the stack by one frame per step.
func movie(frames []frame, columns, rows int, every time.Duration) string {
	width, height := float64(columns)*cellWidth+2*margin, float64(rows*cellHeight+2*margin)
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %.0f" width="%.0f" height="%.0f"><style>`, width, height, width, height)
	b.WriteString(`text{font:14px ui-monospace,"SF Mono",Menlo,"DejaVu Sans Mono",Consolas,monospace;fill:#d8dee9;white-space:pre}.b,.bf{font-weight:700}.f,.bf{opacity:.6}`)
	fmt.Fprintf(&b, "@keyframes s{to{transform:translateY(-%.0fpx)}}g{animation:s %gs steps(%d) infinite}", height*float64(len(frames)), every.Seconds()*float64(len(frames)), len(frames))
	fmt.Fprintf(&b, `@media(prefers-reduced-motion){g{animation:none;transform:translateY(-%.0fpx)}}</style>`, height*float64(len(frames)-1))
	b.WriteString(`<rect width="100%" height="100%" rx="8" fill="#1e222a"/><g>`)
	for i, f := range frames {
		for y, line := range f {
			for _, s := range line {
				s.write(&b, height*float64(i)+margin+float64(y)*cellHeight+14)
			}
		}
		b.WriteByte('\n')
	}
	b.WriteString("</g></svg>\n")
	return b.String()
}

func (s span) write(b *strings.Builder, y float64) {
	text := strings.TrimRight(s.text, " ")
	if text == "" {
		return
	}
	fmt.Fprintf(b, `<text x="%.1f" y="%.0f" textLength="%.1f"`, margin+float64(s.at)*cellWidth, y, float64(len([]rune(text)))*cellWidth)
	if s.class != "" {
		fmt.Fprintf(b, ` class="%s"`, s.class)
	}
	if s.color != "" {
		fmt.Fprintf(b, ` fill="%s" style="fill:%s"`, s.color, s.color)
	}
	fmt.Fprintf(b, ">%s</text>", strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(text))
}
