#include "runtime/base/progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "runtime/base/clock.h"
#include "runtime/base/log.h"

static const int64_t REDRAW_NS = 100000000;
static const char ERASE_LINE[] = "\r\033[K";

void encl_progress_start(encl_progress *progress, const char *label, const char *unit, int64_t total) {
    const char *terminal = getenv("TERM");
    const bool dumb = terminal == NULL || strcmp(terminal, "dumb") == 0;
    const int64_t now = encl_clock_ns();
    *progress = (encl_progress){
        .label = label,
        .unit = unit,
        .total = total,
        .start_ns = now,
        .shown_ns = now - REDRAW_NS,
        .active = !dumb && encl_log_enabled(ENCL_LOG_ERROR) && isatty(STDERR_FILENO) == 1,
    };
}

// "45 s", "2:05", "1:02:05".
static void format_duration(char text[32], double seconds) {
    const long long whole = seconds < 1e9 ? (long long)(seconds + 0.5) : 1000000000;
    if (whole < 60) {
        snprintf(text, 32, "%lld s", whole);
    } else if (whole < 3600) {
        snprintf(text, 32, "%lld:%02lld", whole / 60, whole % 60);
    } else {
        snprintf(text, 32, "%lld:%02lld:%02lld", whole / 3600, whole / 60 % 60, whole % 60);
    }
}

static size_t terminal_columns(void) {
    struct winsize size = {0};
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

static void draw(const encl_progress *progress, int64_t done, int64_t now) {
    enum { BAR = 24 };
    char line[256];
    char left[32] = "";
    char bar[BAR + 1] = "";
    const double seconds = (double)(now - progress->start_ns) / 1e9;
    const double rate = seconds > 0 ? (double)done / seconds : 0;
    size_t columns = terminal_columns();
    columns = columns < sizeof line ? columns : sizeof line;

    if (progress->total > 0) {
        const double share = (double)done / (double)progress->total;
        const int filled = share <= 0 ? 0 : share >= 1 ? BAR : (int)(share * BAR);
        memset(bar, '.', BAR);
        memset(bar, '#', (size_t)filled);
        if (rate > 0 && done <= progress->total) {
            format_duration(left, (double)(progress->total - done) / rate);
        }
        snprintf(line, columns, "%s [%s] %lld/%lld %s, %.4g/s%s%s", progress->label, bar, (long long)done,
                 (long long)progress->total, progress->unit, rate, left[0] != '\0' ? ", left " : "", left);
    } else {
        snprintf(line, columns, "%s %lld %s, %.4g/s", progress->label, (long long)done, progress->unit, rate);
    }
    // Cut one short of the terminal's width above: a line that wraps cannot be erased.
    fprintf(stderr, "%s%s", ERASE_LINE, line);
    encl_log_set_bar(true);
}

void encl_progress_update(encl_progress *progress, int64_t done) {
    if (!progress->active) {
        return;
    }
    const int64_t now = encl_clock_ns();
    if (now - progress->shown_ns >= REDRAW_NS) {
        progress->shown_ns = now;
        draw(progress, done, now);
    }
}

void encl_progress_finish(encl_progress *progress) {
    if (progress->active) {
        fputs(ERASE_LINE, stderr);
        encl_log_set_bar(false);
        progress->active = false;
    }
}
