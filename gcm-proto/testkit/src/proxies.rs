//! Which hosts are reached without a proxy, by what the environment says: one table, for both clients.

/// What the environment says.
pub type Variables = &'static [(&'static str, &'static str)];

/// Where to.
pub const URLS: [&str; 10] = [
    "https://push.example.org/",
    "https://example.org/",
    "https://EXAMPLE.ORG.:443/",
    "https://notexample.org/",
    "https://push.example.org:8443/",
    "https://a.b.internal/",
    "https://localhost/",
    "https://10.1.2.3/",
    "https://[::1]/",
    "https://[2001:db8::5]:8443/",
];

/// The variables, and which of [`URLS`] are reached directly (`d`) or by the proxy (`p`). As curl reads them (`NO_PROXY` in its
/// manual: names with their subdomains, `*`, networks, a leading dot that is ignored) and Go (`golang.org/x/net/http/httpproxy`:
/// ports, `*.` for the subdomains alone). A scheme has no case (RFC 3986 section 3.1).
pub const TABLE: [(Variables, &str); 6] = [
    (
        &[
            ("HTTPS_PROXY", "HTTP://anna:secret@Proxy.example.com:3128/"),
            ("NO_PROXY", "*.example.org"),
        ],
        "dpppdppppp",
    ),
    (
        &[
            ("https_proxy", "proxy.example.com:3128"),
            ("no_proxy", ".Example.org,10.0.0.0/8 2001:db8::/32"),
        ],
        "dddpdppdpd",
    ),
    (
        &[("ALL_PROXY", "http://proxy.example.com:3128"), ("NO_PROXY", "*")],
        "dddddddddd",
    ),
    (
        &[
            ("all_proxy", "http://proxy.example.com:3128"),
            ("HTTPS_PROXY", ""),
            ("no_proxy", "::1, localhost\t10.1.2.3"),
        ],
        "ppppppdddp",
    ),
    (
        &[
            ("HTTPS_PROXY", "http://proxy.example.com:3128"),
            ("NO_PROXY", "push.example.org:8443,[2001:db8::5]:443,internal"),
        ],
        "ppppddpppp",
    ),
    (
        &[
            ("HTTPS_PROXY", "http://proxy.example.com:3128"),
            ("HTTP_PROXY", "http://other:1"),
        ],
        "pppppppppp",
    ),
];
