<#
.SYNOPSIS
    Checks Bilayer on a real Windows: what the tests under Wine cannot show.

.DESCRIPTION
    For a tester with a Windows 10 (1809 or later), 11 or Server machine that may be restarted, best a virtual one. Start it in an
    elevated Windows PowerShell 5.1, at the screen of that machine:

        powershell -ExecutionPolicy Bypass -File acceptance.ps1

    Every step says what it does and what must be seen, prints PASS, FAIL or SKIP, and goes on. Some need a person: they say what to
    do and wait. The script makes a service "bilayer-acceptance", the folder "Bilayer acceptance" in Program Files, a folder for
    reports in C:\Users\Public, and for some steps the user "bilayer-tester"; it removes all of them at the end.

    docs/windows-untested.md lists the steps and what each is for.

.PARAMETER Program
    The bilayer.exe to check. Default: the one beside this script.
.PARAMETER Package
    An MSI, for the steps about packages. Without it they are skipped. Nothing of Bilayer may be installed then.
.PARAMETER NextPackage
    An MSI with a higher version, for the upgrade.
.PARAMETER Unattended
    Skip every step that needs a person.
.PARAMETER Only
    Only the steps whose name contains one of these texts.
.PARAMETER AfterRestart
    The second part of the step "shutdown", after the restart for which the first part asked.

.NOTES
    Exit code: 0 nothing failed, 1 something failed, 2 it could not begin.
#>
[CmdletBinding()]
param(
    [string] $Program,
    [string] $Package,
    [string] $NextPackage,
    [switch] $Unattended,
    [string[]] $Only = @(),
    [switch] $AfterRestart
)

Set-StrictMode -Version 2
$ErrorActionPreference = 'Stop'

# ---------------------------------------------------------------------------------------------------------------------------------
# Names

$Service = 'bilayer-acceptance'
$Tester = 'bilayer-tester'
$Folder = Join-Path $env:ProgramFiles 'Bilayer acceptance'
$Bilayer = Join-Path $Folder 'bilayer.exe'
$Config = Join-Path $Folder 'acceptance.toml'
$AgentScript = Join-Path $Folder 'agent.ps1'
$Reports = Join-Path $env:PUBLIC 'BilayerAcceptance'
$Data = Join-Path $env:ProgramData $Service
$PowerShell = Join-Path $env:SystemRoot 'System32\WindowsPowerShell\v1.0\powershell.exe'
$Results = New-Object System.Collections.ArrayList
$Password = 'Bi-' + [Guid]::NewGuid().ToString('N').Substring(0, 16) + '-7x'

# ---------------------------------------------------------------------------------------------------------------------------------
# Steps and what they say

# Does one step. Its body returns a text that says what was seen, or throws.
function Step([string] $Name, [string] $Does, [string] $Must, [scriptblock] $Body, [switch] $Person) {
    if ($Only.Count -gt 0 -and -not ($Only | Where-Object { $Name -like "*$_*" })) { return }
    Write-Host ''
    Write-Host "== $Name" -ForegroundColor Cyan
    Write-Host "   does:  $Does"
    Write-Host "   must:  $Must"
    $verdict = 'PASS'
    try {
        if ($Person -and $Unattended) { Skip 'it needs a person' }
        $seen = (& $Body | Select-Object -Last 1)
    } catch {
        $seen = $_.Exception.Message
        $verdict = 'FAIL'
        if ($seen -like 'skip: *') {
            $verdict = 'SKIP'
            $seen = $seen.Substring(6)
        }
    }
    $color = @{ PASS = 'Green'; FAIL = 'Red'; SKIP = 'Yellow' }[$verdict]
    Write-Host "   $verdict   $seen" -ForegroundColor $color
    [void] $Results.Add([pscustomobject] @{ Verdict = $verdict; Step = $Name; Seen = $seen })
}

function Skip([string] $Why) { throw "skip: $Why" }

function Assert($Condition, [string] $Otherwise) { if (-not $Condition) { throw $Otherwise } }

# Waits for something with a deadline, and returns it.
function Wait-For([string] $What, [int] $Seconds, [scriptblock] $Look) {
    $clock = [Diagnostics.Stopwatch]::StartNew()
    while ($true) {
        $found = & $Look
        if ($found) { return $found }
        if ($clock.Elapsed.TotalSeconds -gt $Seconds) { throw "within $Seconds s there was not: $What" }
        Start-Sleep -Milliseconds 200
    }
}

# Asks the person to do something; "s" skips the step.
function Ask([string] $What) {
    $answer = Read-Host "   >>> $What`n       Press Enter when it is done, or type s to skip"
    if ($answer -eq 's') { Skip 'the person skipped it' }
}

function Confirm-Seen([string] $Question) {
    $answer = Read-Host "   >>> $Question (y/n)"
    Assert ($answer -like 'y*') "the person answered no: $Question"
}

# ---------------------------------------------------------------------------------------------------------------------------------
# Running programs

# Quotes one argument by the rules of CommandLineToArgvW.
function Quote([string] $Word) {
    if ($Word -ne '' -and $Word -notmatch '[\s"]') { return $Word }
    $escaped = [regex]::Replace($Word, '(\\*)"', '$1$1\"')
    return '"' + [regex]::Replace($escaped, '(\\+)$', '$1$1') + '"'
}

# Runs a program to its end: its exit code and all that it said.
function Invoke-Program([string] $File, [string[]] $Arguments, [string] $Standard = '') {
    $start = New-Object Diagnostics.ProcessStartInfo
    $start.FileName = $File
    $start.Arguments = ($Arguments | ForEach-Object { Quote $_ }) -join ' '
    $start.UseShellExecute = $false
    $start.RedirectStandardInput = $true
    $start.RedirectStandardOutput = $true
    $start.RedirectStandardError = $true
    $process = [Diagnostics.Process]::Start($start)
    $process.StandardInput.Write($Standard)
    $process.StandardInput.Close()
    $errors = $process.StandardError.ReadToEndAsync()
    $text = $process.StandardOutput.ReadToEnd()
    $process.WaitForExit()
    return [pscustomobject] @{ Code = $process.ExitCode; Out = $text; All = ($text + $errors.Result).Trim() }
}

function Bilayer([string[]] $Words, [string] $Standard = '') { Invoke-Program $Bilayer (@('-c', $Config) + $Words) $Standard }

# The same, and it must succeed.
function Bilayer-Ok([string[]] $Words) {
    $done = Bilayer $Words
    Assert ($done.Code -eq 0) "bilayer $($Words -join ' ') ended with $($done.Code): $($done.All)"
    return $done
}

function Ask-Manager([string[]] $Words) { (Invoke-Program (Join-Path $env:SystemRoot 'System32\sc.exe') $Words).All }

# A text in the form that powershell.exe takes as -EncodedCommand.
function Encode([string] $Text) { [Convert]::ToBase64String([Text.Encoding]::Unicode.GetBytes($Text)) }

# Runs a PowerShell text as somebody else and returns what it wrote to $Report: through a task of the scheduler, for the person at the
# screen without elevation ('Limited') or the same person in session 0 ('Session0').
function Invoke-AsTask([string] $How, [string] $Text) {
    $report = Join-Path $Reports ("task-{0}.txt" -f [Guid]::NewGuid())
    $encoded = Encode ("`$Report = '$report'`n" + $Text)
    $action = New-ScheduledTaskAction -Execute $PowerShell -Argument "-NoProfile -NonInteractive -EncodedCommand $encoded"
    $me = [Security.Principal.WindowsIdentity]::GetCurrent().Name
    $principal = switch ($How) {
        'Limited' { New-ScheduledTaskPrincipal -UserId $me -LogonType Interactive -RunLevel Limited }
        'Session0' { New-ScheduledTaskPrincipal -UserId $me -LogonType S4U -RunLevel Highest }
    }
    $name = "bilayer-acceptance-$How"
    [void] (Register-ScheduledTask -TaskName $name -Action $action -Principal $principal -Force)
    try {
        Start-ScheduledTask -TaskName $name
        [void] (Wait-For "the report of the task $How" 60 { (Get-ScheduledTask -TaskName $name).State -eq 'Ready' -and (Test-Path $report) })
        return [IO.File]::ReadAllText($report)
    } finally {
        Unregister-ScheduledTask -TaskName $name -Confirm:$false
    }
}

# Runs a PowerShell text as the tester, in this session, and returns what it wrote to $Report.
function Invoke-AsTester([string] $Text) {
    $report = Join-Path $Reports ("tester-{0}.txt" -f [Guid]::NewGuid())
    $encoded = Encode ("`$Report = '$report'`n" + $Text)
    $secret = ConvertTo-SecureString $Password -AsPlainText -Force
    $credential = New-Object Management.Automation.PSCredential(".\$Tester", $secret)
    $process = Start-Process -FilePath $PowerShell -Credential $credential -WorkingDirectory $env:SystemRoot -WindowStyle Hidden -PassThru `
        -ArgumentList '-NoProfile', '-NonInteractive', '-EncodedCommand', $encoded
    Assert ($process.WaitForExit(60000)) 'the program of the other user did not end'
    Assert (Test-Path $report) 'the program of the other user left no report'
    return [IO.File]::ReadAllText($report)
}

# A user without any rights of an administrator.
function Use-Tester {
    if (Get-LocalUser -Name $Tester -ErrorAction SilentlyContinue) { return }
    try {
        $secret = ConvertTo-SecureString $Password -AsPlainText -Force
        [void] (New-LocalUser -Name $Tester -Password $secret -Description 'acceptance of Bilayer; may be removed')
        Add-LocalGroupMember -SID 'S-1-5-32-545' -Member $Tester
    } catch { Skip "no local user can be made here: $($_.Exception.Message)" }
}

# ---------------------------------------------------------------------------------------------------------------------------------
# The service under test and its agent

# What the agent is: it writes down what it sees of itself, and waits.
$AgentText = @'
param([string] $Reports)
$identity = [Security.Principal.WindowsIdentity]::GetCurrent()
$principal = New-Object Security.Principal.WindowsPrincipal($identity)
@{
    pid = $PID; session = [Diagnostics.Process]::GetCurrentProcess().SessionId; user = $identity.Name; sid = $identity.User.Value
    elevated = $principal.IsInRole([Security.Principal.WindowsBuiltInRole]::Administrator)
    label = ((whoami /groups /fo csv /nh) | Select-String 'S-1-16-\d+').Matches[0].Value
    folder = [Environment]::CurrentDirectory; profile = $env:USERPROFILE; temp = $env:TEMP
    endpoint = $env:BILAYER_ENDPOINT; token = $env:BILAYER_TOKEN; server = $env:BILAYER_SERVER
} | ConvertTo-Json | Set-Content -Encoding UTF8 (Join-Path $Reports "agent-$PID.tmp")
Move-Item -Force (Join-Path $Reports "agent-$PID.tmp") (Join-Path $Reports "agent-$PID.json")
while ($true) { Start-Sleep -Seconds 3600 }
'@

$AgentCommand = "command = ['$PowerShell', '-NoProfile', '-ExecutionPolicy', 'Bypass', '-File', '$AgentScript', '$Reports']"

# Writes the configuration: lines for [service], and the whole of the agents.
function Write-Config([string] $ServiceLines = '', [string] $Agents = "[agent.desk]`r`n$AgentCommand") {
    $text = "[service]`r`nname = `"$Service`"`r`ndisplay_name = `"Bilayer acceptance`"`r`n$ServiceLines`r`n$Agents`r`n"
    [IO.File]::WriteAllText($Config, $text)
}

function Remove-Installation {
    if (Get-Service $Service -ErrorAction SilentlyContinue) { [void] (Bilayer @('uninstall')) }
    Get-Process powershell -ErrorAction SilentlyContinue | Where-Object { $_.Id -ne $PID -and (Test-Path (Join-Path $Reports "agent-$($_.Id).json")) } |
        Stop-Process -Force -ErrorAction SilentlyContinue
    Remove-Item (Join-Path $Reports 'agent-*.json') -ErrorAction SilentlyContinue
}

# A fresh installation that runs with this configuration.
function Start-Fresh([string] $ServiceLines = '', [string] $Agents = "[agent.desk]`r`n$AgentCommand") {
    Remove-Installation
    Write-Config $ServiceLines $Agents
    [void] (Bilayer-Ok @('install'))
    [void] (Bilayer-Ok @('start'))
}

function Status { (Bilayer-Ok @('status', '--json')).Out | ConvertFrom-Json }

function ServicePid { (Get-CimInstance Win32_Service -Filter "Name='$Service'").ProcessId }

$MySession = [Diagnostics.Process]::GetCurrentProcess().SessionId

# The agent of a session, once it runs and has reported.
function Running-Agent([int] $Session = $MySession, [int] $Seconds = 30, [int] $Not = 0) {
    Wait-For "an agent that runs in session $Session" $Seconds {
        $agent = (Status).agents | Where-Object { $_.session -eq "$Session" -and $_.state -eq 'running' -and $_.pid -and $_.pid -ne $Not } |
            Select-Object -First 1
        if ($agent) {
            $file = Join-Path $Reports "agent-$($agent.pid).json"
            if (Test-Path $file) { Get-Content -Raw -Encoding UTF8 $file | ConvertFrom-Json }
        }
    }
}

function Is-Alive([int] $Id) { [bool] (Get-Process -Id $Id -ErrorAction SilentlyContinue) }

# What the log says since a position.
function Log-Size { $file = Join-Path $Data "log\$Service.log"; if (Test-Path $file) { (Get-Item $file).Length } else { 0 } }
function Log-Since([long] $Position) {
    $file = Join-Path $Data "log\$Service.log"
    if (-not (Test-Path $file)) { return '' }
    $stream = New-Object IO.FileStream($file, 'Open', 'Read', 'ReadWrite, Delete')
    try {
        if ($stream.Length -lt $Position) { $Position = 0 }
        [void] $stream.Seek($Position, 'Begin')
        return (New-Object IO.StreamReader($stream)).ReadToEnd()
    } finally { $stream.Dispose() }
}

# What a client of the agent's pipe gets, said in one line; for another user, another session, another machine.
function Client-Text([string] $Server, [string] $Endpoint, [string] $Token) {
    $name = $Endpoint -replace '^\\\\\.\\pipe\\', ''
    return @"
try {
    `$pipe = New-Object IO.Pipes.NamedPipeClientStream('$Server', '$name', 'InOut')
    `$pipe.Connect(5000)
    `$body = '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocol":{"min":1,"max":1},"kind":"agent","token":"$Token","client":{"name":"acceptance","version":"1"}}}'
    `$bytes = [Text.Encoding]::ASCII.GetBytes("Content-Length: `$(`$body.Length)``r``n``r``n`$body")
    `$pipe.Write(`$bytes, 0, `$bytes.Length)
    `$buffer = New-Object byte[] 4096
    `$reading = `$pipe.BeginRead(`$buffer, 0, 4096, `$null, `$null)
    if (-not `$reading.AsyncWaitHandle.WaitOne(8000)) { `$said = 'open, without an answer' }
    else { `$count = `$pipe.EndRead(`$reading); `$said = if (`$count) { 'answered: ' + [Text.Encoding]::ASCII.GetString(`$buffer, 0, `$count) } else { 'closed without an answer' } }
} catch { `$said = 'refused: ' + `$_.Exception.Message }
[IO.File]::WriteAllText(`$Report, `$said)
"@
}

Add-Type -Namespace Acceptance -Name Native -MemberDefinition @'
[DllImport("kernel32.dll", SetLastError = true)] public static extern bool IsProcessInJob(IntPtr process, IntPtr job, out bool result);
'@

# ---------------------------------------------------------------------------------------------------------------------------------
# Before and after

function Prepare {
    $identity = New-Object Security.Principal.WindowsPrincipal([Security.Principal.WindowsIdentity]::GetCurrent())
    if (-not $identity.IsInRole([Security.Principal.WindowsBuiltInRole]::Administrator)) {
        Write-Host 'This script changes services: start it in an elevated PowerShell ("Run as administrator").' -ForegroundColor Red
        exit 2
    }
    if (-not $script:Program) { $script:Program = Join-Path $PSScriptRoot 'bilayer.exe' }
    if (-not (Test-Path $script:Program)) {
        Write-Host "There is no $($script:Program); name the program to check with -Program FILE." -ForegroundColor Red
        exit 2
    }
    if ($MySession -eq 0) {
        Write-Host 'This is session 0, which has no desktop: start the script at the screen or in a remote desktop, not over ssh or WinRM.' -ForegroundColor Red
        exit 2
    }
    [void] (New-Item -ItemType Directory -Force $Folder, $Reports)
    [void] (Invoke-Program (Join-Path $env:SystemRoot 'System32\icacls.exe') @($Reports, '/grant', '*S-1-5-32-545:(OI)(CI)M'))
    Remove-Installation
    Copy-Item -Force $script:Program $Bilayer
    [IO.File]::WriteAllText($AgentScript, $AgentText)
    $system = Get-CimInstance Win32_OperatingSystem
    Write-Host "$($system.Caption) $($system.Version), $($system.OSArchitecture); $((Invoke-Program $Bilayer @('--version')).All); session $MySession"
}

function Clear-Up {
    Remove-Installation
    Remove-LocalUser -Name $Tester -ErrorAction SilentlyContinue
    Remove-Item -Recurse -Force $Reports, $Folder, $Data -ErrorAction SilentlyContinue
}

function Summary {
    Write-Host ''
    Write-Host '== summary' -ForegroundColor Cyan
    $Results | Where-Object { $_.Verdict -ne 'PASS' } | ForEach-Object { Write-Host ('   {0}  {1}: {2}' -f $_.Verdict, $_.Step, $_.Seen) }
    $passed = @($Results | Where-Object { $_.Verdict -eq 'PASS' }).Count
    $failed = @($Results | Where-Object { $_.Verdict -eq 'FAIL' }).Count
    $skipped = @($Results | Where-Object { $_.Verdict -eq 'SKIP' }).Count
    Write-Host "$passed passed, $failed failed, $skipped skipped"
    if ($failed -gt 0) { exit 1 }
    exit 0
}

# ---------------------------------------------------------------------------------------------------------------------------------
# The steps

function Steps-OfOneSession {
    Step 'job' 'starts the service and looks at its agent in this session; then kills the service' `
        'the agent is in a job of the service, no line about "refuses job objects" is in the log, and it dies with the service' {
        Start-Fresh
        $agent = Running-Agent
        $inJob = $false
        Assert ([Acceptance.Native]::IsProcessInJob((Get-Process -Id $agent.pid).Handle, [IntPtr]::Zero, [ref] $inJob)) 'IsProcessInJob failed'
        Assert $inJob "process $($agent.pid) is in no job"
        Assert ((Log-Since 0) -notmatch 'refuses job objects') 'the log says that this host refuses job objects'
        Stop-Process -Force -Id (ServicePid)
        [void] (Wait-For 'the end of the agent' 5 { -not (Is-Alive $agent.pid) })
        "process $($agent.pid) of session $($agent.session) was in a job and died with the service"
    }

    Step 'recovery' 'kills the service and waits for the service manager; then stops it' `
        'the service is started again after 3 s, and the agent with it; after a clean stop it is not' {
        Start-Fresh
        $agent = Running-Agent
        $old = ServicePid
        Stop-Process -Force -Id $old
        [void] (Wait-For 'a new process of the service' 20 { $now = ServicePid; $now -ne 0 -and $now -ne $old })
        [void] (Wait-For 'an answer' 20 { (Bilayer @('status')).Code -eq 0 })
        $again = Running-Agent -Not $agent.pid
        [void] (Bilayer-Ok @('stop'))
        Start-Sleep -Seconds 6
        Assert ((ServicePid) -eq 0) 'it was started again after a clean stop'
        "process $($again.pid) took the place of $($agent.pid); a clean stop stayed a stop"
    }

    Step 'installed' 'reads back what the installation set' `
        'quoted image path, own service SID, reduced privileges, recovery also for failures that are no crash, preshutdown, description, event source' {
        Start-Fresh
        $key = "HKLM:\SYSTEM\CurrentControlSet\Services\$Service"
        $path = (Get-ItemProperty $key).ImagePath
        Assert ($path.StartsWith('"' + $Bilayer + '" service')) "the image path is $path"
        Assert ((Ask-Manager @('qsidtype', $Service)) -match 'UNRESTRICTED') 'it has no service SID'
        $privileges = Ask-Manager @('qprivs', $Service)
        Assert ($privileges -match 'SeTcbPrivilege' -and $privileges -notmatch 'SeDebugPrivilege') "its privileges are $privileges"
        Assert ((Ask-Manager @('qfailure', $Service)) -match '3000' ) 'its first restart is not after 3 s'
        Assert ((Ask-Manager @('qfailureflag', $Service)) -match 'TRUE') 'a failure that is no crash is not recovered from'
        Assert ((Get-ItemProperty $key).PreshutdownTimeout -ge 10000) 'it has no preshutdown time-out'
        Assert ((Get-ItemProperty $key).Description) 'it has no description'
        Assert (Test-Path "HKLM:\SYSTEM\CurrentControlSet\Services\EventLog\Application\$Service") 'its event source is not registered'
        $events = Get-WinEvent -FilterHashtable @{ LogName = 'Application'; ProviderName = $Service; Id = 1 } -MaxEvents 1
        Assert ($events.Message) 'the event of its start has no text'
        $path
    }

    Step 'folders' 'looks at the permissions of the folder in ProgramData' 'nobody but SYSTEM, administrators and the service itself is in the list' {
        Start-Fresh
        $list = (Get-Acl $Data).Access
        $strangers = $list | Where-Object {
            $sid = $_.IdentityReference.Translate([Security.Principal.SecurityIdentifier]).Value
            $sid -ne 'S-1-5-18' -and $sid -ne 'S-1-5-32-544' -and $sid -notlike 'S-1-5-80-*'
        }
        Assert (-not $strangers) "strangers: $($strangers.IdentityReference -join ', ')"
        Assert ((Get-Acl $Data).AreAccessRulesProtected) 'it inherits from the folder above'
        "$($list.Count) entries"
    }

    Step 'identity' 'reads what the agent wrote about itself' `
        'the user of this session, not elevated, medium integrity, their profile as working folder, a pipe and a token' {
        Start-Fresh
        $agent = Running-Agent
        $me = [Security.Principal.WindowsIdentity]::GetCurrent()
        Assert ($agent.sid -eq $me.User.Value) "it runs as $($agent.user), not as $($me.Name)"
        Assert ($agent.session -eq $MySession) "it runs in session $($agent.session)"
        Assert ($agent.folder -eq $agent.profile) "its working folder is $($agent.folder)"
        Assert ($agent.endpoint -like '\\.\pipe\*' -and $agent.token -and $agent.server -eq 'S-1-5-18') 'its environment has no endpoint, token or server'
        if ($agent.elevated) { Skip 'this user has one token only: user account control is off, or this is the built-in administrator' }
        Assert ($agent.label -eq 'S-1-16-8192') "its integrity is $($agent.label)"
        "$($agent.user), $($agent.label), in $($agent.folder)"
    }

    Step 'linked' 'the same with elevation = "linked"' 'the agent has the elevated token of an administrator' {
        Start-Fresh '' "[agent.desk]`r`n$AgentCommand`r`nelevation = `"linked`""
        $agent = Running-Agent
        Assert $agent.elevated "it is not elevated ($($agent.label))"
        "$($agent.user), $($agent.label)"
    }

    Step 'crash' 'kills the agent' 'a new process within 2 s, and status says why' {
        Start-Fresh
        $agent = Running-Agent
        $clock = [Diagnostics.Stopwatch]::StartNew()
        Stop-Process -Force -Id $agent.pid
        $entry = Wait-For 'a new process' 10 { (Status).agents | Where-Object { $_.pid -and $_.pid -ne $agent.pid } | Select-Object -First 1 }
        $took = $clock.ElapsedMilliseconds
        Assert ($took -lt 2000) "it took $took ms"
        Assert ($entry.restarts -eq 1) "restarts: $($entry.restarts)"
        "after $took ms, the command that asks for it included; last exit: $($entry.last_exit.text)"
    }

    Step 'flash' 'starts the agent anew ten times; it is a console program' 'no window flashes on the screen' -Person {
        Start-Fresh
        Ask 'Watch the screen: ten agents are started after you press Enter.'
        1..10 | ForEach-Object {
            $agent = Running-Agent
            [void] (Bilayer-Ok @('agents', 'restart', 'desk', '--all'))
            [void] (Running-Agent -Not $agent.pid)
        }
        Confirm-Seen 'Did the screen stay still, without any window that came and went?'
        'ten starts without a window'
    }

    Step 'stop' 'stops the service while its agent runs' 'the agent is asked (Ctrl+Break or WM_CLOSE), ends within its grace, and nothing is left' {
        Start-Fresh
        $agent = Running-Agent
        [void] (Bilayer-Ok @('stop'))
        Assert (-not (Is-Alive $agent.pid)) "process $($agent.pid) is left"
        Assert ((Log-Since 0) -notmatch 'cannot ask these processes to end') 'the helper in the session failed'
        'the agent has ended'
    }

    Step 'keep' 'on_service_stop = "keep": kills the service, waits for its return, stops and starts it' 'the same agent process all the time, adopted' {
        Start-Fresh 'on_service_stop = "keep"'
        $agent = Running-Agent
        Stop-Process -Force -Id (ServicePid)
        [void] (Wait-For 'a new process of the service' 30 { ServicePid })
        [void] (Wait-For 'an answer' 20 { (Bilayer @('status')).Code -eq 0 })
        Assert (Is-Alive $agent.pid) 'the agent died with the service'
        Assert ((Running-Agent).pid -eq $agent.pid) 'another agent was started'
        [void] (Bilayer-Ok @('restart'))
        Assert ((Running-Agent).pid -eq $agent.pid) 'a restart ended it'
        "process $($agent.pid) outlived two services"
    }

    Step 'worker' 'runs workers under LocalService and NetworkService, and kills the first' `
        'each is the account that it names, in session 0, and is back within 2 s' {
        $ping = "command = ['$env:SystemRoot\System32\ping.exe', '-t', '127.0.0.1']"
        Start-Fresh '' "[worker.small]`r`n$ping`r`naccount = 'LocalService'`r`n[worker.net]`r`n$ping`r`naccount = 'NetworkService'"
        $sids = @{ small = 'S-1-5-19'; net = 'S-1-5-20' }
        foreach ($name in $sids.Keys) {
            $worker = Wait-For "the worker $name" 30 { (Status).agents | Where-Object { $_.agent -eq $name -and $_.pid } }
            Assert ($worker.kind -eq 'worker' -and $null -eq $worker.session) "the status says $($worker.kind), session $($worker.session)"
            $process = Get-CimInstance Win32_Process -Filter "ProcessId=$($worker.pid)"
            $owner = Invoke-CimMethod -InputObject $process -MethodName GetOwnerSid
            Assert ($owner.Sid -eq $sids[$name]) "$name runs as $($owner.Sid), not as $($sids[$name])"
            Assert ($process.SessionId -eq 0) "$name runs in session $($process.SessionId)"
        }
        $worker = (Status).agents | Where-Object { $_.agent -eq 'small' }
        Stop-Process -Force -Id $worker.pid
        $next = Wait-For 'a new process' 10 { (Status).agents | Where-Object { $_.agent -eq 'small' -and $_.pid -and $_.pid -ne $worker.pid } }
        [void] (Bilayer-Ok @('stop'))
        Assert (-not (Is-Alive $next.pid)) "process $($next.pid) is left"
        Assert ((Log-Since 0) -notmatch 'cannot ask these processes to end') 'the helper of an account failed'
        "$($worker.pid) and $($next.pid) under LocalService, and all ended with the service"
    }

    Step 'message' 'shows a message with two buttons in this session' 'the box appears, and the answer is printed' -Person {
        Start-Fresh
        Write-Host '   >>> A message appears. Press its OK button.'
        $done = Bilayer @('message', 'Press OK, please.', '--title', 'Bilayer acceptance', '--session', "$MySession", '--buttons', 'ok-cancel', '--wait', '--timeout', '60s')
        Assert ($done.Code -eq 0 -and $done.All -match 'ok') "exit code $($done.Code): $($done.All)"
        $done.All
    }
}

function Steps-OfBadInput {
    Step 'not elevated' 'gives the command install without elevation' 'exit code 5, and the command to use in an elevated console' {
        Remove-Installation
        Write-Config
        $said = Invoke-AsTask 'Limited' @"
`$text = & '$Bilayer' install -c '$Config' 2>&1 | Out-String
`$elevated = (New-Object Security.Principal.WindowsPrincipal([Security.Principal.WindowsIdentity]::GetCurrent())).IsInRole([Security.Principal.WindowsBuiltInRole]::Administrator)
[IO.File]::WriteAllText(`$Report, "`$LASTEXITCODE `$elevated `$text")
"@
        if ($said -match '^\d+ True') { Skip 'this user has no token without elevation' }
        Assert ($said -match '^5 ' -and $said -match 'elevated' -and $said -match 'bilayer install -c') "it said: $said"
        $said.Trim()
    }

    Step 'account missing' 'installs with an account that does not exist' 'exit code 1, and the sentence names the account' {
        Write-Config "account = '.\no-such-user'" ''
        $done = Bilayer @('install') "secret`r`n"
        Assert ($done.Code -eq 1 -and $done.All -match 'no-such-user') "exit code $($done.Code): $($done.All)"
        $done.All
    }

    Step 'account password' 'installs with a wrong password and starts' 'the start fails with the logon error (1069) in words, and nothing hangs' {
        Use-Tester
        Write-Config "account = '.\$Tester'" ''
        $installed = Bilayer @('install') "wrong`r`n"
        $started = Bilayer @('start')
        Assert ($installed.Code -eq 1 -or $started.Code -eq 1) "install: $($installed.Code), start: $($started.Code)"
        "$($installed.All) $($started.All)"
    }

    Step 'account right' 'gives the right password, takes "log on as a service" away, and starts' `
        'install grants the right (it starts then); without it the start fails with the logon error in words' {
        Use-Tester
        [void] (Bilayer @('uninstall'))
        $done = Bilayer @('install') "$Password`r`n"
        Assert ($done.Code -eq 0) "install ended with $($done.Code): $($done.All)"
        $first = Bilayer @('start')
        Assert ($first.Code -eq 0) "with the right it does not start: $($first.All)"
        [void] (Bilayer @('stop'))
        Remove-ServiceRight
        $second = Bilayer @('start')
        Assert ($second.Code -eq 1) "without the right it started: $($second.Code) $($second.All)"
        $second.All
    }

    Step 'needs elevation' 'an agent whose manifest demands an administrator (error 740)' 'the agent is held, and the reason says asInvoker or elevation = "linked"' {
        $file = Build-Elevated
        Start-Fresh '' "[agent.desk]`r`ncommand = ['$file']"
        $entry = Wait-For 'a held agent' 20 { (Status).agents | Where-Object { $_.state -eq 'held' } | Select-Object -First 1 }
        Assert ($entry.reason.text -match 'asInvoker') "the reason is: $($entry.reason.text)"
        $entry.reason.text
    }

    Step 'policy' 'an agent that a software restriction policy forbids (error 1260)' 'the agent is held, and the reason names the policy' {
        $root = 'HKLM:\SOFTWARE\Policies\Microsoft\Windows\Safer\CodeIdentifiers'
        if (Test-Path $root) { Skip 'this machine has such policies of its own' }
        $file = Join-Path $Folder 'forbidden.exe'
        Copy-Item -Force (Join-Path $env:SystemRoot 'System32\ping.exe') $file
        try {
            $rule = Join-Path $root '0\Paths\{6B5E2C1A-7C0E-4B58-9A57-5A0C1F1E9D11}'
            [void] (New-Item -Force $rule)
            [void] (New-ItemProperty $root -Name DefaultLevel -PropertyType DWord -Value 0x40000)
            [void] (New-ItemProperty $root -Name TransparentEnabled -PropertyType DWord -Value 1)
            [void] (New-ItemProperty $root -Name PolicyScope -PropertyType DWord -Value 0)
            [void] (New-ItemProperty $rule -Name ItemData -PropertyType ExpandString -Value $file)
            [void] (New-ItemProperty $rule -Name SaferFlags -PropertyType DWord -Value 0)
            Start-Fresh '' "[agent.desk]`r`ncommand = ['$file', '-t', '127.0.0.1']"
            $entry = Wait-For 'an agent that is held or runs' 20 { (Status).agents | Where-Object { $_.state -in 'held', 'running' } | Select-Object -First 1 }
            if ($entry.state -eq 'running') { Skip 'this Windows does not enforce software restriction policies on services; try AppLocker by hand' }
            Assert ($entry.reason.text -match 'policy') "the reason is: $($entry.reason.text)"
            $entry.reason.text
        } finally { Remove-Item -Recurse -Force $root -ErrorAction SilentlyContinue }
    }

    Step 'pipe taken' 'somebody else has the name of the control pipe: an ordinary user, then an administrator' `
        'the user is refused the name by the system; with the administrator in its place the service does not start, and says why' {
        Use-Tester
        Remove-Installation
        $name = "ProtectedPrefix\Administrators\bilayer-$Service"
        $said = Invoke-AsTester @"
try { `$pipe = New-Object IO.Pipes.NamedPipeServerStream('$name'); `$said = 'made' } catch { `$said = 'refused: ' + `$_.Exception.Message }
[IO.File]::WriteAllText(`$Report, `$said)
"@
        Assert ($said -like 'refused*') "an ordinary user: $said"
        Write-Config
        [void] (Bilayer-Ok @('install'))
        $pipe = New-Object IO.Pipes.NamedPipeServerStream($name)
        try { $done = Bilayer @('start') } finally { $pipe.Dispose() }
        Assert ($done.Code -ne 0) "it started beside somebody else's pipe: $($done.All)"
        $done.All
    }

    Step 'other user' 'another user opens the pipe of this user''s agent, with its token' 'access is denied' {
        Use-Tester
        Start-Fresh
        $agent = Running-Agent
        $said = Invoke-AsTester (Client-Text '.' $agent.endpoint $agent.token)
        Assert ($said -like 'refused*') $said
        Assert (Is-Alive $agent.pid) 'the agent died of it'
        $said
    }

    Step 'other session' 'the same user opens it from session 0, with its token' 'closed without an answer, or refused' {
        Start-Fresh
        $agent = Running-Agent
        $said = Invoke-AsTask 'Session0' (Client-Text '.' $agent.endpoint $agent.token)
        Assert ($said -like 'refused*' -or $said -like 'closed*') $said
        $said
    }

    Step 'network' 'this user opens it as a client from the network (\\127.0.0.1)' 'refused' {
        Start-Fresh
        $agent = Running-Agent
        $said = Invoke-AsTask 'Limited' (Client-Text '127.0.0.1' $agent.endpoint $agent.token)
        Assert ($said -like 'refused*') $said
        $said
    }

    Step 'commands' 'another user gives commands to the service' 'exit code 5 or 3, and nothing happens' {
        Use-Tester
        Start-Fresh
        $said = Invoke-AsTester @"
`$text = & '$Bilayer' status -c '$Config' 2>&1 | Out-String
[IO.File]::WriteAllText(`$Report, "`$LASTEXITCODE `$text")
"@
        Assert ($said -match '^[35] ') "it said: $said"
        $said.Trim()
    }

    Step 'folder taken' 'an ordinary user makes the folder in ProgramData before the installation' 'install refuses it, and says what to do' {
        Use-Tester
        Remove-Installation
        Remove-Item -Recurse -Force $Data -ErrorAction SilentlyContinue
        [void] (Invoke-AsTester "[void] (New-Item -ItemType Directory '$Data'); [IO.File]::WriteAllText(`$Report, 'made')")
        Write-Config
        $done = Bilayer @('install')
        $start = if ($done.Code -eq 0) { Bilayer @('start') } else { $done }
        [void] (Bilayer @('uninstall'))
        Remove-Item -Recurse -Force $Data
        Assert ($start.Code -ne 0 -and $start.All -match [regex]::Escape($Service)) "exit code $($start.Code): $($start.All)"
        $start.All
    }

    Step 'configuration writable' 'lets ordinary users write the configuration' 'install refuses it with exit code 2 and names who can write' {
        Write-Config
        [void] (Invoke-Program (Join-Path $env:SystemRoot 'System32\icacls.exe') @($Config, '/grant', '*S-1-5-32-545:M'))
        $done = Bilayer @('install')
        [void] (Invoke-Program (Join-Path $env:SystemRoot 'System32\icacls.exe') @($Config, '/reset'))
        Assert ($done.Code -eq 2) "exit code $($done.Code): $($done.All)"
        $done.All
    }
}

# Takes "log on as a service" from the tester.
function Remove-ServiceRight {
    $file = Join-Path $Folder 'rights.inf'
    $sid = (Get-LocalUser -Name $Tester).SID.Value
    [void] (Invoke-Program 'secedit.exe' @('/export', '/areas', 'USER_RIGHTS', '/cfg', $file))
    $text = [IO.File]::ReadAllText($file) -replace ",\*$sid", '' -replace "\*$sid,", '' -replace ",$Tester\b", '' -replace "= $Tester,", '= '
    [IO.File]::WriteAllText($file, $text, [Text.Encoding]::Unicode)
    [void] (Invoke-Program 'secedit.exe' @('/configure', '/db', (Join-Path $Folder 'rights.sdb'), '/cfg', $file, '/areas', 'USER_RIGHTS'))
}

# A program whose manifest demands an administrator.
function Build-Elevated {
    $manifest = Join-Path $Folder 'elevated.manifest'
    [IO.File]::WriteAllText($manifest, '<?xml version="1.0" encoding="utf-8"?><assembly xmlns="urn:schemas-microsoft-com:asm.v1" manifestVersion="1.0"><trustInfo xmlns="urn:schemas-microsoft-com:asm.v2"><security><requestedPrivileges xmlns="urn:schemas-microsoft-com:asm.v3"><requestedExecutionLevel level="requireAdministrator" uiAccess="false"/></requestedPrivileges></security></trustInfo></assembly>')
    $file = Join-Path $Folder 'elevated.exe'
    $options = New-Object CodeDom.Compiler.CompilerParameters
    $options.GenerateExecutable = $true
    $options.OutputAssembly = $file
    $options.CompilerOptions = "/win32manifest:`"$manifest`""
    $compiler = New-Object Microsoft.CSharp.CSharpCodeProvider
    $built = $compiler.CompileAssemblyFromSource($options, 'class Elevated { static void Main() { System.Threading.Thread.Sleep(-1); } }')
    Assert (-not $built.Errors.HasErrors) "the test program cannot be built: $($built.Errors[0])"
    return $file
}

function Steps-OfPeople {
    Step 'lock' 'waits while you lock the screen (Windows+L) and unlock it' 'status says locked, then unlocked, and the agent stays the same' -Person {
        Start-Fresh
        $agent = Running-Agent
        Write-Host '   >>> Lock the screen now (Windows+L), wait 5 s, and unlock it.'
        $mine = { (Status).sessions | Where-Object { $_.id -eq "$MySession" } }
        [void] (Wait-For 'a locked session' 120 { (& $mine).locked -eq $true })
        [void] (Wait-For 'an unlocked session' 300 { (& $mine).locked -eq $false })
        Assert ((Running-Agent).pid -eq $agent.pid) 'the agent was started again'
        "process $($agent.pid) all the time"
    }

    Step 'switch' 'waits while you switch to another user and back (fast user switching)' `
        'the agent of this session ends, one of the other user starts in theirs, and the other way round; never two' -Person {
        Use-Tester
        Start-Fresh
        $agent = Running-Agent
        Write-Host "   >>> Ctrl+Alt+Del, Switch user, log on as  $Tester  with the password  $Password"
        Write-Host '   >>> Wait for the desktop and 10 s more. Then switch back to this user. Do not log off.'
        $other = Wait-For "an agent of $Tester" 300 {
            $now = @((Status).agents | Where-Object { $_.state -eq 'running' })
            Assert ($now.Count -le 1) 'two agents of "console" ran at once'
            $now | Where-Object { $_.session -ne "$MySession" } | Select-Object -First 1
        }
        Assert ($other.user.name -match $Tester) "its user is $($other.user.name)"
        Assert (-not (Is-Alive $agent.pid)) 'the agent of this session still runs'
        $back = Running-Agent -Seconds 300
        "session $MySession -> $($other.session) -> $($back.session)"
    }

    Step 'logoff' 'waits while you log that user off' 'their session goes, and nothing is started for it again' -Person {
        if (-not ((Status).sessions | Where-Object { $_.user.name -match $Tester })) { Skip "$Tester is not logged on" }
        Ask "Switch to $Tester, sign out there, and come back to this user."
        [void] (Wait-For 'the end of the session' 60 { -not ((Status).sessions | Where-Object { $_.user.name -match $Tester }) })
        Assert (-not ((Status).agents | Where-Object { $_.user.name -match $Tester })) 'an agent is left for them'
        'nobody is left'
    }

    Step 'remote desktop' 'sessions = "active": waits while you connect by Remote Desktop as another user, and disconnect' `
        'the session is listed as remote, gets an agent, and loses it at the disconnection' -Person {
        Use-Tester
        Add-LocalGroupMember -SID 'S-1-5-32-555' -Member $Tester -ErrorAction SilentlyContinue
        Start-Fresh '' "[agent.desk]`r`n$AgentCommand`r`nsessions = `"active`""
        Ask "From another machine, connect by Remote Desktop as  $Tester  with the password  $Password  (a desktop edition of Windows asks you to leave this session: type s there)."
        $remote = Wait-For 'a remote session' 120 { (Status).sessions | Where-Object { $_.remote -and $_.user.name -match $Tester } | Select-Object -First 1 }
        $agent = Running-Agent -Session ([int] $remote.id) -Seconds 60
        Ask 'Close the window of Remote Desktop (disconnect, do not sign out).'
        [void] (Wait-For 'the end of its agent' 60 { -not (Is-Alive $agent.pid) })
        "session $($remote.id), kind $($remote.kind)"
    }

    Step 'sleep' 'waits while the machine sleeps and wakes up' 'the log says both, and the agent stays the same' -Person {
        Start-Fresh
        $agent = Running-Agent
        $position = Log-Size
        Ask 'Send the machine to sleep (Start, Power, Sleep), wait 20 s, wake it up and log on.'
        $text = Wait-For 'the wake-up in the log' 60 { $log = Log-Since $position; if ($log -match 'woke up') { $log } }
        Assert ($text -match 'about to sleep') 'the log does not say that the machine was about to sleep'
        Assert ((Running-Agent).pid -eq $agent.pid) 'the agent was started again'
        "process $($agent.pid) all the time"
    }
}

function Steps-OfPackage {
    Step 'package' 'installs the MSI, edits the configuration, upgrades, removes' `
        'the service runs from a quoted path, the edit stays in every case, an upgrade starts what ran, a removal leaves the configuration' {
        if (-not $Package) { Skip 'no -Package was given' }
        if (Get-Service bilayer -ErrorAction SilentlyContinue) { Skip 'Bilayer is installed here' }
        $installer = Join-Path $env:SystemRoot 'System32\msiexec.exe'
        $file = Join-Path $env:ProgramData 'bilayer\bilayer.toml'
        $done = Invoke-Program $installer @('/i', (Resolve-Path $Package).Path, '/qn')
        Assert ($done.Code -eq 0) "msiexec /i ended with $($done.Code)"
        Assert ((Get-Service bilayer).Status -eq 'Running') 'the service does not run'
        $path = (Get-ItemProperty 'HKLM:\SYSTEM\CurrentControlSet\Services\bilayer').ImagePath
        Assert ($path.StartsWith('"')) "the image path is $path"
        Add-Content $file '# edited by a person'
        if ($NextPackage) {
            $done = Invoke-Program $installer @('/i', (Resolve-Path $NextPackage).Path, '/qn')
            Assert ($done.Code -eq 0) "the upgrade ended with $($done.Code)"
            Assert ((Get-Service bilayer).Status -eq 'Running') 'the service does not run after the upgrade'
            $products = @(Get-ItemProperty 'HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall\*' | Where-Object { $_.PSObject.Properties['DisplayName'] -and $_.DisplayName -eq 'Bilayer' })
            Assert ($products.Count -eq 1) "there are $($products.Count) entries in the list of programs"
        }
        $last = if ($NextPackage) { $NextPackage } else { $Package }
        $done = Invoke-Program $installer @('/x', (Resolve-Path $last).Path, '/qn')
        Assert ($done.Code -eq 0) "msiexec /x ended with $($done.Code)"
        Assert (-not (Get-Service bilayer -ErrorAction SilentlyContinue)) 'the service is left'
        Assert ((Get-Content -Raw $file) -match 'edited by a person') 'the edit is lost'
        $path
    }
}

function Steps-OfShutdown {
    Step 'shutdown' 'prepares a restart of the machine' 'after the restart, this script with -AfterRestart says what it saw' -Person {
        Start-Fresh
        $agent = Running-Agent
        [IO.File]::WriteAllText((Join-Path $Folder 'before-restart.txt'), "$(Log-Size)")
        Write-Host "   >>> Restart the machine after this script has ended, and then run it again, elevated: acceptance.ps1 -AfterRestart"
        "the agent of this session is process $($agent.pid)"
    }
}

function Steps-AfterRestart {
    Step 'after the restart' 'reads the log of the time before the restart' `
        'the shutdown was announced, the agents were stopped and none was started again, the service stopped cleanly, and it runs now' {
        $note = Join-Path $Folder 'before-restart.txt'
        if (-not (Test-Path $note)) { Skip 'the step "shutdown" has not run' }
        $log = Log-Since ([long] [IO.File]::ReadAllText($note))
        $down = $log.IndexOf('stopped: every agent has ended')
        Assert ($down -ge 0) 'the service was cut off, or never told: no clean stop is in the log'
        $before = $log.Substring(0, $down)
        Assert ($before -match 'the system shuts down|agents are asked to leave') 'the log does not say that the system went down'
        Assert ($log.Substring($down) -match '\| started') 'the service did not start with the system'
        $agent = Running-Agent -Seconds 120
        "stopped cleanly, and process $($agent.pid) runs in session $($agent.session)"
    }
}

# ---------------------------------------------------------------------------------------------------------------------------------

if ($AfterRestart) {
    Steps-AfterRestart
    Clear-Up
    Summary
}
Prepare
Steps-OfOneSession
Steps-OfBadInput
Steps-OfPeople
Steps-OfPackage
$more = ($Only.Count -eq 0 -or ($Only | Where-Object { 'shutdown' -like "*$_*" })) -and -not $Unattended
if ($more) { Steps-OfShutdown } else { Clear-Up }
Summary
