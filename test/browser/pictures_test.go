package browser_test

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/fetchq/server/internal/auth"
)

const (
	busyFor   = 100 * time.Second // so long workers work before the pictures, so that lines have a few points
	thumb     = 320               // px: the greatest width of a picture on a contact sheet
	thumbTall = 480               // px: and its greatest height; more is cut off
	columns   = 6
)

// TestPictures writes a picture of every page in each shape, and contact sheets of them: make screenshots.
func TestPictures(t *testing.T) {
	if *screenshots == "" {
		t.Skip("make screenshots takes pictures")
	}
	dir := filepath.Join(root, *screenshots)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	s := newSite(t, "FETCHQ_ENV=production")
	s.world()
	s.past(time.Hour, "pages", "thumbnails", "reports")
	s.busy(busyFor)
	tabs := map[auth.Role]*tab{"": s.open(t)}
	for role, name := range map[auth.Role]string{auth.RoleViewer: "Vera", auth.RoleAdmin: "Ada"} {
		tabs[role] = s.of(t, s.user(strings.ToLower(name)+"@example.org", name, role))
	}
	sheets := map[string][]image.Image{}
	for _, page := range s.places() {
		p := tabs[page.role]
		p.allow(page.says)
		p.shape(shapes[0].width, shapes[0].height, shapes[0].scheme)
		p.visit(page.path)
		if page.act != nil {
			page.act(p)
		}
		for _, shape := range shapes {
			p.shape(shape.width, max(shape.height, page.tall), shape.scheme)
			picture, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot())
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, page.name+"-"+shape.name+".png"), picture, 0o644); err != nil { //nolint:gosec // for people
				t.Fatal(err)
			}
			decoded, err := png.Decode(bytes.NewReader(picture))
			if err != nil {
				t.Fatal(err)
			}
			sheets[shape.name] = append(sheets[shape.name], smaller(decoded))
		}
	}
	var index strings.Builder
	for i, page := range s.places() {
		fmt.Fprintf(&index, "row %d, column %d: %s (%s)\n", i/columns+1, i%columns+1, page.name, page.path)
	}
	if err := os.WriteFile(filepath.Join(dir, "index.txt"), []byte(index.String()), 0o644); err != nil { //nolint:gosec // for people
		t.Fatal(err)
	}
	for name, pictures := range sheets {
		var sheet bytes.Buffer
		if err := png.Encode(&sheet, montage(pictures)); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "sheet-"+name+".png"), sheet.Bytes(), 0o644); err != nil { //nolint:gosec // for people
			t.Fatal(err)
		}
	}
}

// busy lets workers work for a while, so that the pages have rates to show.
func (s *site) busy(d time.Duration) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), d)
	defer cancel()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for round := 0; ; round++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		n := 20 + 15*(round/20%3)
		s.documents("pages", n, `{"depth":%d}`, fmt.Sprintf("https://b.example/%d/%%d", round), "")
		s.work("pages", n-2, `"action":"complete"`)
		s.documents("thumbnails", 8, `{"size":[%d,240]}`, fmt.Sprintf("thumb:%d:%%d", round), "")
		s.work("thumbnails", 5+round%6, `"action":"complete"`)
		s.push("reports", fmt.Sprintf("report/2026-11/%04d", round))
		s.work("reports", 1, `"action":"reject","message":"the warehouse does not answer: dial tcp 10.0.3.7:5432: i/o timeout"`)
	}
}

// smaller returns a picture of the width of a thumb; each of its points is the mean of those that it stands for.
func smaller(from image.Image) image.Image {
	b := from.Bounds()
	scale := max(float64(b.Dx())/thumb, 1)
	to := image.NewRGBA(image.Rect(0, 0, int(float64(b.Dx())/scale), min(int(float64(b.Dy())/scale), thumbTall)))
	for y := range to.Bounds().Dy() {
		for x := range to.Bounds().Dx() {
			to.Set(x, y, mean(from, int(float64(x)*scale), int(float64(y)*scale), int(float64(x+1)*scale), int(float64(y+1)*scale)))
		}
	}
	return to
}

func mean(from image.Image, x0, y0, x1, y1 int) color.Color {
	var r, g, b, n uint32
	for y := y0; y < max(y1, y0+1); y++ {
		for x := x0; x < max(x1, x0+1); x++ {
			pr, pg, pb, _ := from.At(x, y).RGBA()
			r, g, b, n = r+pr>>8, g+pg>>8, b+pb>>8, n+1
		}
	}
	return color.RGBA{R: uint8(r / n), G: uint8(g / n), B: uint8(b / n), A: 255} //nolint:gosec // means of bytes
}

// montage puts pictures side by side, in the order of index.txt.
func montage(pictures []image.Image) image.Image {
	const gap = 8
	rows := (len(pictures) + columns - 1) / columns
	tall := pictures[0].Bounds().Dy() // all have the shape of one
	sheet := image.NewRGBA(image.Rect(0, 0, columns*(thumb+gap)+gap, rows*(tall+gap)+gap))
	draw.Draw(sheet, sheet.Bounds(), image.NewUniform(color.Gray{Y: 128}), image.Point{}, draw.Src)
	for i, p := range pictures {
		at := image.Pt(gap+i%columns*(thumb+gap), gap+i/columns*(tall+gap))
		draw.Draw(sheet, image.Rectangle{Min: at, Max: at.Add(p.Bounds().Size())}, p, p.Bounds().Min, draw.Src)
	}
	return sheet
}
