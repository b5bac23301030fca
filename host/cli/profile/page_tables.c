// The page of a profile: operators and layers.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/profile/page.h"

// ---- Operators --------------------------------------------------------------------------------------------

// A share of the wall time, with a bar behind the number.
static void write_share(const encl_page *page, double pct, double longest, const char *pattern) {
    fprintf(page->stream,
            "<td class=\"n share\" data-v=\"%.9g\"><span>%.1f</span><svg width=\"100%%\" height=\"12\" "
            "aria-hidden=\"true\"><rect class=\"track\" width=\"100%%\" height=\"12\" rx=\"2\"/><rect width=\"%.3f%%\" "
            "height=\"12\" rx=\"2\" fill=\"url(#%s)\"/></svg></td>",
            pct, pct, encl_profile_pct(pct, longest), pattern);
}

static void write_operator(const encl_page *page, const encl_profile_case *of, const encl_page_group *group,
                           size_t index, double longest) {
    const encl_roof roof = encl_profile_roof(page->profile, group->calls, group->flops, group->bytes, group->exec);
    const bool computes = group->flops > 0;
    char pattern[16];
    char mark[ENCL_PAGE_MARK];
    snprintf(pattern, sizeof pattern, "s%d", encl_page_series_of(page, group->name));
    fputs("<tr><th scope=\"row\">", page->stream);
    encl_page_swatch(page, pattern);
    fputs("<span class=\"letter\">", page->stream);
    encl_html_text(page->stream, encl_page_mark(index, mark));
    fputs("</span> ", page->stream);
    encl_html_text(page->stream, group->name);
    if (group->fused[0] != '\0') {
        fputs(" <span class=\"soft\">+ ", page->stream);
        encl_html_text(page->stream, group->fused);
        fputs("</span>", page->stream);
    }
    fputs("</th><td class=\"kernel\"><code>", page->stream);
    encl_html_text(page->stream, group->kernel);
    fputs("</code> <span class=\"soft\">", page->stream);
    encl_html_text(page->stream, group->why);
    fputs("</span></td>", page->stream);
    encl_html_number(page->stream, group->calls, 0);
    encl_html_number(page->stream, group->exec / 1e6, 3);
    write_share(page, encl_profile_pct(group->exec, of->wall), longest, pattern);
    encl_html_number(page->stream, computes ? encl_profile_rate(group->flops, group->exec) : NAN, 1);
    encl_html_number(page->stream, group->bytes > 0 ? encl_profile_rate(group->bytes, group->exec) : NAN, 1);
    encl_html_number(page->stream, computes ? roof.intensity : NAN, 1);
    encl_html_number(page->stream, roof.roof_pct, 0);
    encl_html_cell(page->stream, roof.bound[0] != '\0' ? encl_profile_bound(&roof) : "\xe2\x80\x93");
    fputs("</tr>\n", page->stream);
}

encl_status encl_page_operators(const encl_page *page, const encl_profile_case *of) {
    static const char *const headings[] = {
        "operator", "kernel, and why it", ">calls",     ">ms",     ">% of wall", ">GF/s",
        ">GB/s",    ">flop/byte",         ">% of roof", "bound by"};
    encl_page_group *groups = NULL;
    size_t count = 0;
    const encl_status status = encl_page_groups(of, ENCL_PAGE_BY_KERNEL, &groups, &count);
    if (status != ENCL_OK) {
        return status;
    }
    const double longest = count > 0 ? encl_profile_pct(groups[0].exec, of->wall) : 0;
    fputs("<h3>Operators</h3>\n<div class=\"scroll\"><table class=\"sortable\"><caption><span>Time on the device, "
          "longest first. Matrix products by their depth and width. A roof is what the device can do in fp32 at that "
          "many operations a byte; over 100 % of it, the bytes came from a cache, or the numbers were of fewer "
          "bits.</span></caption>\n",
          page->stream);
    encl_html_headings(page->stream, headings, sizeof headings / sizeof headings[0]);
    fputs("<tbody>\n", page->stream);
    for (size_t i = 0; i < count; i++) {
        write_operator(page, of, &groups[i], i, longest);
    }
    fputs("</tbody></table></div>\n", page->stream);
    free(groups);
    return ENCL_OK;
}

// ---- Layers -----------------------------------------------------------------------------------------------

// What a layer's operators took, side by side; `longest` fills the cell.
static void write_layer_bar(const encl_page *page, const encl_page_group *groups, size_t count, double longest) {
    double at = 0;
    char time[ENCL_PAGE_TIME];
    fputs("<td class=\"bar\"><svg width=\"100%\" height=\"18\" aria-hidden=\"true\">", page->stream);
    for (size_t i = 0; i < count; i++) {
        const double pct = encl_profile_pct(groups[i].exec, longest);
        fprintf(page->stream,
                "<rect class=\"mark\" x=\"%.3f%%\" width=\"%.3f%%\" height=\"18\" fill=\"url(#s%d)\"><title>", at, pct,
                encl_page_series_of(page, groups[i].name));
        encl_html_format(page->stream, "%s: %s", groups[i].name, encl_page_time(groups[i].exec, time));
        fputs("</title></rect>", page->stream);
        at += pct;
    }
    fputs("</svg></td>", page->stream);
}

static void write_layer(const encl_page *page, const encl_profile_case *of, const encl_profile_group *layer,
                        const encl_page_group *parts, size_t part_count, double longest) {
    char name[16];
    fprintf(page->stream, "<tr><th scope=\"row\" data-v=\"%d\">", (int)layer->layer);
    encl_html_text(page->stream, encl_profile_layer(layer->layer, page->profile->layers, name));
    fputs("</th>", page->stream);
    encl_html_number(page->stream, layer->calls, 0);
    encl_html_number(page->stream, layer->exec / 1e6, 3);
    encl_html_number(page->stream, encl_profile_pct(layer->exec, of->wall), 1);
    encl_html_number(page->stream, layer->flops > 0 ? encl_profile_rate(layer->flops, layer->exec) : NAN, 1);
    write_layer_bar(page, parts, part_count, longest);
    fputs("</tr>\n", page->stream);
}

encl_status encl_page_layers(const encl_page *page, const encl_profile_case *of) {
    static const char *const headings[] = {"layer", ">calls", ">ms", ">% of wall", ">GF/s", "by operator"};
    encl_status status = ENCL_OK;
    encl_profile_group *layers = NULL;
    encl_page_group *parts = NULL; // of the layers, in their order
    size_t count = 0;
    size_t part_count = 0;
    double longest = 0;
    ENCL_TRY(encl_profile_groups(of, ENCL_PROFILE_BY_LAYER, &layers, &count));
    ENCL_TRY(encl_page_groups(of, ENCL_PAGE_BY_LAYER, &parts, &part_count));
    for (size_t i = 0; i < count; i++) {
        longest = fmax(longest, layers[i].exec);
    }
    fputs("<h3>Layers</h3>\n<div class=\"scroll\"><table class=\"sortable layers\"><caption><span>Time on the device "
          "by layer; "
          "the colours are those of the operators.</span></caption>\n",
          page->stream);
    encl_html_headings(page->stream, headings, sizeof headings / sizeof headings[0]);
    fputs("<tbody>\n", page->stream);
    for (size_t i = 0, part = 0; i < count; i++) {
        const size_t first = part;
        while (part < part_count && parts[part].layer == layers[i].layer) {
            part++;
        }
        write_layer(page, of, &layers[i], parts + first, part - first, longest);
    }
    fputs("</tbody></table></div>\n", page->stream);
cleanup:
    free(layers);
    free(parts);
    return status;
}
