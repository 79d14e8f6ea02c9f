//! The grid on a cluster: an array job whose every task carries out one cell.

use super::plan::Plan;

/// A script for `sbatch`, to be run where the comparison's folder is shared; `program` and `out` are paths.
pub fn script(plan: &Plan, program: &str, out: &str) -> String {
    let last = plan.places().len().saturating_sub(1);
    let (program, out) = (quoted(program), quoted(out));
    format!(
        "#!/bin/sh\n\
         #SBATCH --job-name=segloss-compare\n\
         #SBATCH --array=0-{last}\n\
         #SBATCH --cpus-per-task=4\n\
         #SBATCH --mem=8G\n\
         #SBATCH --requeue\n\
         # A cell that was begun goes on, one that is done is passed over: submit it again as often as needed, then\n\
         #   segloss compare --out {out} --report\n\
         exec {program} compare --out {out} --cell \"$SLURM_ARRAY_TASK_ID\" --threads \"${{SLURM_CPUS_PER_TASK:-1}}\"\n"
    )
}

/// The same with GNU parallel, on two workstations that share the folder.
pub fn parallel(plan: &Plan, program: &str, out: &str) -> String {
    let last = plan.places().len().saturating_sub(1);
    format!(
        "seq 0 {last} | parallel --jobs 1 --sshlogin :,OTHER {} compare --out {} --cell {{}}",
        quoted(program),
        quoted(out)
    )
}

/// A word of a shell.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:=@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_shell() {
        assert_eq!(quoted("/a/b-c.d"), "/a/b-c.d");
        assert_eq!(quoted("a b"), "'a b'");
        assert_eq!(quoted("it's $(x)"), r"'it'\''s $(x)'");
    }
}
