//! Markdown as HTML that a page may show as it is.

use pulldown_cmark::{Options, Parser, html};

/// Renders [CommonMark](https://commonmark.org) with tables, task lists and strike-through. Whatever could run, load
/// something from elsewhere unasked, or dress up as the page around it is taken out: the text may be anybody's.
#[must_use]
pub fn to_html(markdown: &str) -> String {
    let options = Options::ENABLE_TABLES | Options::ENABLE_TASKLISTS | Options::ENABLE_STRIKETHROUGH;
    let mut rendered = String::with_capacity(markdown.len() * 3 / 2);
    html::push_html(&mut rendered, Parser::new_ext(markdown, options));
    sanitiser().clean(&rendered).to_string()
}

fn sanitiser() -> ammonia::Builder<'static> {
    let mut builder = ammonia::Builder::default();
    builder
        // An image tells its server who looks at the page, and when.
        .rm_tags(["img", "map", "area"])
        .url_schemes(["http", "https", "mailto"].into())
        .link_rel(Some("noopener noreferrer nofollow"));
    builder
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_becomes_html() {
        assert_eq!(
            to_html("# Week 47\n\n*Up* by **3 %**"),
            "<h1>Week 47</h1>\n<p><em>Up</em> by <strong>3 %</strong></p>\n"
        );
        assert!(to_html("|a|b|\n|-|-|\n|1|2|").contains("<td>1</td>"));
        assert!(to_html("~~gone~~").contains("<del>gone</del>"));
    }

    #[test]
    fn nothing_in_it_runs_or_phones_home() {
        for attack in [
            "<script>alert(1)</script>",
            "<img src=x onerror=alert(1)>",
            "![a](https://spy.example/pixel.gif)",
            "[x](javascript:alert(1))",
            "[x](data:text/html;base64,PHNjcmlwdD4=)",
            "<a href=\"JaVaScRiPt:alert(1)\">x</a>",
            "<svg onload=alert(1)>",
            "<iframe src=https://evil.example></iframe>",
            "<style>body{display:none}</style>",
            "<div style=\"position:fixed;inset:0\">x</div>",
            "<form action=https://evil.example><input name=password></form>",
            "<math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>",
            "<p onclick=alert(1) id=root class=admin>x</p>",
        ] {
            let html = to_html(attack).to_lowercase();
            for word in [
                "<script",
                "onerror",
                "onload",
                "onclick",
                "<img",
                "<iframe",
                "<style",
                "style=",
                "<form",
                "<input",
                "<svg",
                "href=\"java",
                "href=\"data",
                "id=",
                "class=",
            ] {
                assert!(!html.contains(word), "{attack}\nbecame\n{html}");
            }
        }
    }

    #[test]
    fn links_do_not_give_the_page_away() {
        let html = to_html("[docs](https://example.com)");
        assert_eq!(
            html,
            "<p><a href=\"https://example.com\" rel=\"noopener noreferrer nofollow\">docs</a></p>\n"
        );
    }
}
