//! Path traversal: names that lead out of the folder, in request paths and in names of uploaded files.

use std::{fs, path::Path};

use super::{FileServer, IMAGE, Raw, SECRET, exchange, images, request};
use generation_test::PATIENCE;

/// Paths as in the request line; each is refused, although a file exists at its target.
const PATHS: [(&str, &str); 36] = [
    ("one folder up", "/uploads/../secret.txt"),
    ("two folders up", "/uploads/../../secret.txt"),
    ("a job's folder up", "/files/../secret.txt"),
    ("a job's name up", "/files/job-1/../../secret.txt"),
    ("encoded slash", "/uploads/..%2fsecret.txt"),
    ("encoded dots", "/uploads/%2e%2e/secret.txt"),
    ("encoded dots and slash", "/uploads/%2e%2e%2fsecret.txt"),
    ("encoded twice", "/uploads/%252e%252e%252fsecret.txt"),
    ("encoded three times", "/uploads/%25252e%25252e%25252fsecret.txt"),
    ("backslash", "/uploads/..\\secret.txt"),
    ("encoded backslash", "/uploads/..%5csecret.txt"),
    ("backslash encoded twice", "/uploads/..%255csecret.txt"),
    ("absolute", "/uploads//etc/passwd"),
    ("absolute, encoded", "/uploads/%2fetc%2fpasswd"),
    ("absolute as a job", "/files/%2fetc/passwd"),
    ("a drive", "/uploads/C:%5cWindows%5cwin.ini"),
    ("a device of Windows", "/uploads/%5c%5c.%5cC:"),
    ("NUL at the end", "/uploads/good.png%00"),
    ("NUL before another ending", "/uploads/secret.txt%00.png"),
    ("overlong dots and slash", "/uploads/%c0%ae%c0%ae%c0%afsecret.txt"),
    ("overlong slash in three bytes", "/uploads/..%e0%80%afsecret.txt"),
    ("a letter that looks like two dots", "/uploads/%e2%80%a5/secret.txt"),
    ("a wide slash", "/uploads/..%ef%bc%8fsecret.txt"),
    ("what IIS decoded", "/uploads/..%u2215secret.txt"),
    ("the folder itself", "/uploads/."),
    ("the folder's folder", "/uploads/.."),
    ("dots alone", "/uploads/...."),
    ("dots and a parameter", "/uploads/..;/secret.txt"),
    ("a link to outside", "/uploads/link.png"),
    ("a link to inside", "/uploads/alias.png"),
    ("a folder that is a link", "/files/linked/image-0.png"),
    ("a job's file that is a link", "/files/job-2/image-0.png"),
    ("a job's file that is a folder", "/files/job-3/image-0.png"),
    ("a hidden file", "/uploads/.staged-secret"),
    ("a folder", "/uploads/folder.png"),
    ("a space behind the name", "/uploads/good.png%20"),
];

#[cfg(unix)]
fn link(to: &Path, at: &Path) {
    std::os::unix::fs::symlink(to, at).unwrap();
}

#[cfg(unix)]
#[actix_web::test]
async fn no_path_leads_out_of_its_folder() {
    let server = FileServer::start(Vec::new(), PATIENCE).await;
    let root = server.folder.path();
    let uploads = root.join("uploads/_");
    let files = root.join("jobs/artifacts");
    fs::create_dir_all(uploads.join("folder.png")).unwrap();
    for secret in [
        "secret.txt",
        "uploads/secret.txt",
        "jobs/secret.txt",
        "jobs/artifacts/secret.txt",
        "image-0.png",
        "uploads/_/.staged-secret",
        "uploads/_/folder.png/secret.txt",
    ] {
        fs::write(root.join(secret), SECRET).unwrap();
    }
    fs::write(uploads.join("good.png"), "good").unwrap();
    server.job("", "job-1", "good").await;
    link(&root.join("secret.txt"), &uploads.join("link.png"));
    link(&uploads.join("good.png"), &uploads.join("alias.png"));
    fs::remove_dir_all(server.job("", "linked", "good").await).unwrap();
    link(root, &files.join("linked"));
    let file = server.job("", "job-2", "good").await.join(IMAGE);
    fs::remove_file(&file).unwrap();
    link(&root.join("secret.txt"), &file);
    let file = server.job("", "job-3", "good").await.join(IMAGE);
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();

    let get = |path: &str| exchange(server.address, request(&format!("GET {path}"), &["Host: localhost"], ""));
    for good in ["/uploads/good.png", "/files/job-1/image-0.png", "/files/job-1/%69mage-0.png"] {
        assert_eq!((get(good).await.status(), get(good).await.body()), (200, "good"), "{good}");
    }
    let mut opened = Vec::new();
    for (name, path) in PATHS {
        let answer: Raw = get(path).await;
        if ![400, 404].contains(&answer.status()) || answer.0.contains(SECRET) || answer.0.contains("root:") {
            opened.push((name, answer.0));
        }
    }
    assert!(opened.is_empty(), "{opened:?}");
}

/// Names of uploaded files as in the form. None of them is used.
const FILE_NAMES: [(&str, &str); 14] = [
    ("one folder up", "filename=\"../evil.png\""),
    ("many folders up", "filename=\"../../../../../../tmp/evil.png\""),
    ("absolute", "filename=\"/tmp/evil.png\""),
    ("backslashes", "filename=\"..\\..\\evil.png\""),
    ("encoded", "filename=\"%2e%2e%2fevil.png\""),
    ("a second name", "filename=\"good.png\"; filename*=UTF-8''..%2fevil.png"),
    ("a page", "filename=\"evil.html\""),
    ("a script of the server's", "filename=\"evil.php\""),
    ("two endings", "filename=\"evil.php.png\""),
    ("no ending", "filename=\"evil\""),
    ("dots", "filename=\"..\""),
    ("empty", "filename=\"\""),
    ("a device", "filename=\"CON\""),
    ("a setting of a web server", "filename=\".htaccess\""),
];

#[actix_web::test]
async fn an_upload_gets_a_new_name_whatever_its_file_name() {
    let server = FileServer::start(Vec::new(), PATIENCE).await;
    for (row, (name, disposition)) in FILE_NAMES.into_iter().enumerate() {
        let answer = images::upload(server.address, disposition, "image/png", &images::png(2, 3)).await;
        assert_eq!(answer.status(), 200, "{name}: {}", answer.0);
        let stored = server.stored();
        assert_eq!(stored.len(), row + 1, "{name}: {stored:?}");
        let ours = |path: &String| {
            let id = path.strip_prefix("uploads/_/character_").and_then(|rest| rest.strip_suffix(".png"));
            id.is_some_and(|id| uuid::Uuid::try_parse(id).is_ok())
        };
        assert!(stored.iter().all(ours), "{name}: {stored:?}");
        let stored_name = images::name_of(&answer);
        assert!(stored.iter().any(|path| path.ends_with(&stored_name)), "{name}: {}", answer.body());
    }
    let long = format!("filename=\"{}.png\"", "a".repeat(5000));
    assert_eq!(images::upload(server.address, &long, "image/png", &images::png(2, 3)).await.status(), 200);
}
