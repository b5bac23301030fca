// The page of a profile: what is in it, and what a browser makes of it.
#include <ctype.h>

#include "host/cli/profile/html.h"
#include "host/cli/profile/page.h"
#include "made_profile.h"
#include "program.h"

enum { TAG_DEPTH = 64, TAG_NAME = 24, COMMAND_LIMIT = 16 };

static char *write_page(const encl_profile *profile, const char *name) {
    char *text = NULL;
    size_t length = 0;
    assert_ok(encl_profile_write_html(in_folder(name), profile));
    assert_ok(encl_file_read(in_folder(name), 1 << 27, &text, &length));
    assert_int_equal(strlen(text), length);
    assert_int_equal(encl_utf8_valid_prefix(text, length), length);
    return text;
}

static size_t count_of(const char *text, const char *what) {
    size_t count = 0;
    for (const char *at = strstr(text, what); at != NULL; at = strstr(at + 1, what)) {
        count++;
    }
    return count;
}

// ---- What is in it ----------------------------------------------------------------------------------------

static const char *skip_attributes(const char *at) {
    bool quoted = false;
    for (; *at != '\0' && (quoted || *at != '>'); at++) {
        if (!quoted && *at == '<') {
            fail_msg("'<' within a tag: %.80s", at);
        }
        quoted = (*at == '"') != quoted;
    }
    return at;
}

// Every tag that is opened is closed, in order, and there is no '<' or '>' that belongs to none. Style sheet and
// scripts are skipped.
static void expect_balanced(const char *page) {
    char open[TAG_DEPTH][TAG_NAME];
    size_t depth = 0;
    for (const char *at = strchr(page, '<'); at != NULL; at = strchr(at, '<')) {
        const bool closing = at[1] == '/';
        char name[TAG_NAME] = "";
        const char *start = at + (closing ? 2 : 1);
        size_t length = 0;
        while (isalnum((unsigned char)start[length]) && length + 1 < TAG_NAME) {
            name[length] = start[length];
            length++;
        }
        name[length] = '\0';
        const char *end = skip_attributes(at + 1);
        if (closing) {
            if (depth == 0 || strcmp(open[depth - 1], name) != 0) {
                fail_msg("</%s> where <%s> is open", name, depth > 0 ? open[depth - 1] : "nothing");
            }
            depth--;
        } else if (at[1] != '!' && end[-1] != '/' && strcmp(name, "meta") != 0) {
            assert_true(length > 0 && depth < TAG_DEPTH);
            memcpy(open[depth++], name, sizeof name);
        }
        at = end;
        if (!closing && (strcmp(name, "style") == 0 || strcmp(name, "script") == 0)) {
            at = strstr(at, "</");
        }
        assert_non_null(at);
    }
    assert_int_equal(depth, 0);
}

// The page asks nobody for anything, and only its own style sheet and script may run.
static void expect_alone(const char *page) {
    assert_int_equal(count_of(page, "http:"), 0);
    assert_int_equal(count_of(page, "https:"), 0);
    assert_int_equal(count_of(page, "//cdn"), 0);
    assert_int_equal(count_of(page, " src="), 0);
    assert_int_equal(count_of(page, "@import"), 0);
    assert_int_equal(count_of(page, "href=\""), count_of(page, "href=\"#"));
    assert_int_equal(count_of(page, "url("), count_of(page, "url(#"));
    assert_int_equal(count_of(page, " style="), 0); // the policy would refuse it
    assert_int_equal(count_of(page, "<script"), 2);
    assert_int_equal(count_of(page, "</script"), 2);
    assert_int_equal(count_of(page, "default-src 'none'; style-src 'sha256-"), 1);
    assert_int_equal(count_of(page, "unsafe"), 0);
}

static void expect_tables(const char *page) {
    assert_int_equal(count_of(page, "<table"), count_of(page, "<caption"));
    assert_int_equal(count_of(page, "<th"), count_of(page, "<thead") + count_of(page, "scope=\""));
}

// What the page holds as data.
static cJSON *data_of(const char *page) {
    static const char begin[] = "id=\"profile-data\">";
    cJSON *data = NULL;
    const char *start = strstr(page, begin);
    assert_non_null(start);
    start += strlen(begin);
    const char *end = strstr(start, "</script");
    assert_non_null(end);
    assert_ok(encl_json_parse("data", start, (size_t)(end - start), &data));
    assert_true(cJSON_IsArray(data));
    return data;
}

static void expect_page(const char *page, int cases) {
    expect_balanced(page);
    expect_alone(page);
    expect_tables(page);
    cJSON *data = data_of(page);
    assert_int_equal(cJSON_GetArraySize(data), cases + 1);
    assert_string_equal(text_of(data->child, "schema"), "encl.profile/1");
    cJSON_Delete(data);
}

static void made_pages_are_whole(void **state) {
    (void)state;
    encl_profile profile;
    encl_device_info device;
    made_head(&profile, &device, false);
    made_case(&profile, &(made_options){0});
    char *plain = write_page(&profile, "plain.html");
    expect_page(plain, 1);
    assert_non_null(strstr(plain, "peaks are not known"));
    assert_null(strstr(plain, "class=\"roofline\""));
    made_peaks(&profile);
    made_case(&profile, &(made_options){.name = "whole", .runs = 5, .whole = true});
    made_case(&profile, &(made_options){.unaligned = true, .overlap_ns = 900000});
    made_case(&profile, &(made_options){.backwards = true});
    char *several = write_page(&profile, "several.html");
    expect_page(several, 4);
    assert_int_equal(count_of(several, "class=\"roofline\""), 4);
    assert_int_equal(count_of(several, "NOT RECONCILED"), 2);
    assert_int_equal(count_of(several, "could not be aligned"), 1);
    assert_non_null(strstr(several, "href=\"#case-4\""));
    free(plain);
    free(several);
    free_made(&profile);
}

static void names_stay_texts(void **state) {
    (void)state;
    static const char hostile[] = "</script><script>alert(1)</script><b onload=\"x\">'&amp;\x02\xfe";
    encl_profile profile;
    encl_device_info device;
    made_head(&profile, &device, true);
    free(profile.command);
    profile.command = made_text(hostile);
    made_peaks(&profile);
    made_case(&profile, &(made_options){.name = hostile, .op = "<img onerror=alert(1)>"});
    char *page = write_page(&profile, "hostile.html");
    expect_page(page, 1);
    assert_null(strstr(page, "<img"));
    assert_null(strstr(page, "<b "));
    assert_non_null(strstr(page, "&lt;/script&gt;&lt;script&gt;alert(1)"));
    cJSON *data = data_of(page);
    assert_non_null(strstr(text_of(data->child, "command"), "</script><script>alert(1)</script>"));
    cJSON_Delete(data);
    free(page);
    free_made(&profile);
}

static void nothing_is_a_page_too(void **state) {
    (void)state;
    encl_profile profile = {.layers = -1};
    char *page = write_page(&profile, "nothing.html");
    expect_page(page, 0);
    free(page);
    encl_profile_case empty = {.name = (char *)"empty", .repeated = true};
    assert_ok(encl_statistics_of(NULL, 0, &empty.plain));
    empty.profiled = empty.plain;
    profile.cases = &empty;
    profile.case_count = 1;
    page = write_page(&profile, "empty.html");
    expect_page(page, 1);
    assert_null(strstr(page, "nan"));
    assert_int_equal(encl_profile_write_html(folder, &profile), ENCL_IO);
    free(page);
}

// However many commands there are, the page stays one that a browser can show.
static void many_commands_are_drawn_together(void **state) {
    (void)state;
    encl_profile profile;
    encl_device_info device;
    made_head(&profile, &device, false);
    made_case(&profile, &(made_options){.commands = 20000, .duration_ns = 2100});
    char *page = write_page(&profile, "many.html");
    expect_page(page, 1);
    const size_t marks = count_of(page, "class=\"mark");
    assert_in_range(marks, 1000, 12000); // four rows of a thousand units, two marks a unit at most, and the bars
    assert_int_equal(count_of(page, "--csv writes all"), 1);
    free(page);
    free_made(&profile);
}

static void hashes_are_those_of_browsers(void **state) {
    (void)state;
    char hash[ENCL_HTML_HASH];
    encl_html_hash("", 0, hash); // RFC 6234's empty message, in base64
    assert_string_equal(hash, "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='");
    encl_html_hash("abc", 3, hash);
    assert_string_equal(hash, "'sha256-ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0='");
}

// ---- Real runs --------------------------------------------------------------------------------------------

static void page_of(const encl_device *device) {
    char index[16];
    char *page = NULL;
    size_t length = 0;
    snprintf(index, sizeof index, "%d", (int)encl_device_get_info(device)->index);
    outcome result = RUN("", "profile", "--device", index, "--repeat", "2", "--html", in_folder("real.html"),
                         "tests/fixtures/tiny-bert", "what", "a day");
    expect_exit(&result, 0);
    free_outcome(&result);
    assert_ok(read_result("real.html", &page, &length));
    expect_page(page, 1);
    assert_non_null(strstr(page, "attention"));
    free(page);
    result =
        RUN("one\ntwo\n", "embed", "--device", index, "--profile", in_folder("embed.html"), "tests/fixtures/tiny-bert");
    expect_exit(&result, 0);
    free_outcome(&result);
    assert_ok(read_result("embed.html", &page, &length));
    expect_page(page, 1);
    free(page);
}

static void real_runs_give_pages(void **state) {
    (void)state;
    encl_test_on_devices(page_of);
}

// ---- In a browser -----------------------------------------------------------------------------------------

static const char *find_browser(void) {
    static const char *const names[] = {"chromium", "chromium-browser", "google-chrome"};
    static char path[PATH_LENGTH];
    const char *folders = getenv("PATH");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        for (const char *at = folders; at != NULL && *at != '\0';) {
            const size_t length = strcspn(at, ":");
            snprintf(path, sizeof path, "%.*s/%s", (int)length, at, names[i]);
            if (access(path, X_OK) == 0) {
                return path;
            }
            at += length + (at[length] == ':' ? 1 : 0);
        }
    }
    return NULL;
}

static const char *need_browser(void) {
    const char *browser = find_browser();
    if (browser == NULL) {
        print_message("no chromium (apt install chromium)\n");
        skip();
    }
    return browser;
}

// Opens a page of the folder; stdout and stderr are in out.txt and err.txt. A console message is a failure.
static void browse(const char *page, const char *const *options) {
    char address[PATH_LENGTH + 16];
    char data[PATH_LENGTH + 32];
    char *err = NULL;
    size_t length = 0;
    int status = 0;
    const char *argv[COMMAND_LIMIT] = {need_browser(),
                                       "--headless=new",
                                       "--no-sandbox",
                                       "--disable-gpu",
                                       "--hide-scrollbars",
                                       "--no-first-run",
                                       "--enable-logging=stderr",
                                       data};
    size_t count = 8;
    snprintf(address, sizeof address, "file://%s", in_folder(page));
    snprintf(data, sizeof data, "--user-data-dir=%s", in_folder("browser"));
    for (size_t i = 0; options[i] != NULL; i++) {
        argv[count++] = options[i];
    }
    argv[count++] = address;
    assert_true(count < COMMAND_LIMIT);
    const pid_t child = fork();
    if (child == 0) {
        redirect("out.txt", O_WRONLY | O_CREAT | O_TRUNC, STDOUT_FILENO);
        redirect("err.txt", O_WRONLY | O_CREAT | O_TRUNC, STDERR_FILENO);
        execv(argv[0], (char **)argv);
        _exit(127);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_ok(read_result("err.txt", &err, &length));
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0 || strstr(err, "CONSOLE") != NULL) {
        fail_msg("%s: status %d: %s", page, status, err);
    }
    free(err);
}
#define BROWSE(page, ...) browse((page), (const char *const[]){__VA_ARGS__, NULL})

static uint32_t big_endian(const char *bytes) {
    const unsigned char *b = (const unsigned char *)bytes;
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static void make_browser_page(void) {
    encl_profile profile;
    encl_device_info device;
    made_head(&profile, &device, true);
    made_peaks(&profile);
    made_case(&profile, &(made_options){0});
    made_case(&profile, &(made_options){.name = "whole", .runs = 5, .whole = true, .unaligned = true});
    free(write_page(&profile, "page.html"));
    free_made(&profile);
}

static void a_browser_shows_it(void **state) {
    (void)state;
    char option[PATH_LENGTH + 32];
    char *picture = NULL;
    size_t length = 0;
    need_browser();
    make_browser_page();
    snprintf(option, sizeof option, "--screenshot=%s", in_folder("page.png"));
    BROWSE("page.html", option, "--window-size=1000,1500");
    assert_ok(read_result("page.png", &picture, &length));
    assert_true(length > 30000); // an empty page of that size has 6,000 bytes
    assert_memory_equal(picture, "\x89PNG\r\n", 6);
    assert_int_equal(big_endian(picture + 16), 1000);
    assert_int_equal(big_endian(picture + 20), 1500);
    free(picture);
}

// The script runs as the policy allows: it made buttons of headings.
static void its_own_script_may_run(void **state) {
    (void)state;
    char *document = NULL;
    size_t length = 0;
    need_browser();
    make_browser_page();
    BROWSE("page.html", "--dump-dom");
    assert_ok(read_result("out.txt", &document, &length));
    assert_true(count_of(document, "<button type=\"button\">") > 10);
    assert_int_equal(count_of(document, "aria-label=\"Zoom in\""), 2);
    free(document);
}

// A copy of the page whose policy also allows the probe, which stands at its end.
static void make_probed_copy(void) {
    char *page = NULL;
    char *probe = NULL;
    size_t length = 0;
    size_t probe_length = 0;
    char hash[ENCL_HTML_HASH];
    encl_string copy = {0};
    assert_ok(encl_file_read("tests/cli/page_probe.js", 1 << 20, &probe, &probe_length));
    assert_ok(read_result("page.html", &page, &length));
    encl_html_hash(probe, probe_length, hash);
    const char *policy = strstr(page, "script-src ");
    const char *end = strstr(page, "</body>");
    assert_true(policy != NULL && end != NULL);
    policy += strlen("script-src ");
    assert_ok(encl_string_append(&copy, page, (size_t)(policy - page)));
    assert_ok(encl_string_format(&copy, "%s ", hash));
    assert_ok(encl_string_append(&copy, policy, (size_t)(end - policy)));
    assert_ok(encl_string_format(&copy, "<script>%s</script>", probe));
    assert_ok(encl_string_append(&copy, end, strlen(end)));
    assert_ok(encl_file_write(in_folder("probed.html"), copy.text, copy.length));
    encl_string_free(&copy);
    free(page);
    free(probe);
}

static cJSON *probe_results(void) {
    char *document = NULL;
    size_t length = 0;
    cJSON *results = NULL;
    assert_ok(read_result("out.txt", &document, &length));
    const char *start = strstr(document, "RESULTS");
    const char *end = start != NULL ? strstr(start, "STLUSER") : NULL;
    if (end == NULL) {
        fail_msg("the probe did not end: %.2000s", document);
    }
    start += strlen("RESULTS");
    assert_ok(encl_json_parse("probe", start, (size_t)(end - start), &results));
    free(document);
    return results;
}

static bool is_true(const cJSON *results, const char *key) {
    return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(results, key));
}

static void expect_probe(const cJSON *results, bool dark) {
    static const char *const yes[] = {"focus",   "falling",     "unknown_last", "rising",
                                      "by_name", "frame_focus", "more_labels"};
    static const struct {
        const char *key;
        double value;
    } numbers[] = {{"tables_without_caption", 0},
                   {"headings_without_scope", 0},
                   {"ids_twice", 0},
                   {"dead_links", 0},
                   {"foreign", 0},
                   {"cases", 2},
                   {"zoomed", 4},
                   {"wheeled", 8},
                   {"back", 4},
                   {"all", 1},
                   {"overflow", 0}};
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
        if (!is_true(results, yes[i])) {
            fail_msg("%s: no", yes[i]);
        }
    }
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (number_of(results, numbers[i].key) != numbers[i].value) {
            fail_msg("%s: found %g, expected %g", numbers[i].key, number_of(results, numbers[i].key), numbers[i].value);
        }
    }
    assert_false(is_true(results, "sorted_before")); // else sorting would show nothing
    assert_true(number_of(results, "tables") > 8);
    assert_true(is_true(results, "dark") == dark);
    print_message("    %s: contrast %.2f (texts), %.2f (labels on marks), %.2f (marks)\n", dark ? "dark" : "light",
                  number_of(results, "text_contrast"), number_of(results, "label_contrast"),
                  number_of(results, "mark_contrast"));
    assert_true(number_of(results, "text_contrast") >= 4.5);
    assert_true(number_of(results, "label_contrast") >= 4.5);
    assert_true(number_of(results, "mark_contrast") >= 3);
}

static void it_can_be_used(void **state) {
    (void)state;
    need_browser();
    make_browser_page();
    make_probed_copy();
    BROWSE("probed.html", "--dump-dom", "--window-size=1200,900");
    cJSON *results = probe_results();
    expect_probe(results, false);
    cJSON_Delete(results);
}

static void it_can_be_used_in_the_dark_and_narrow(void **state) {
    (void)state;
    need_browser();
    make_browser_page();
    make_probed_copy();
    BROWSE("probed.html", "--dump-dom", "--window-size=500,900", "--blink-settings=preferredColorScheme=0");
    cJSON *results = probe_results();
    expect_probe(results, true);
    assert_true(number_of(results, "width") <= 500);
    cJSON_Delete(results);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(made_pages_are_whole),
        cmocka_unit_test(names_stay_texts),
        cmocka_unit_test(nothing_is_a_page_too),
        cmocka_unit_test(many_commands_are_drawn_together),
        cmocka_unit_test(hashes_are_those_of_browsers),
        cmocka_unit_test(real_runs_give_pages),
        cmocka_unit_test(a_browser_shows_it),
        cmocka_unit_test(its_own_script_may_run),
        cmocka_unit_test(it_can_be_used),
        cmocka_unit_test(it_can_be_used_in_the_dark_and_narrow),
    };
    return cmocka_run_group_tests(tests, make_test_folder, remove_test_folder);
}
